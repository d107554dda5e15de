// Made by `cargo run -p mp-tests --bin serde_types` (seed 1711); not to be changed by hand.

#[allow(unused_imports)]
use super::*;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T80((i128, Option<Vec<i32>>, PathBuf));
sample! { T80 plain 1 { [0] Self { 0: f0 (keep) } (keep); } }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T81 {
    MoveQjr,
    MoveQkr
}
sample! { T81 plain 2 {
    [0] Self::MoveQjr {  } (keep);
    [1] Self::MoveQkr {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename = "OtherT82")]
pub(crate) struct T82 { #[serde(default = "fixed")] depth_qlr: (Option<Vec<u8>>, T55), #[serde(flatten)] state_qmr: T19, #[serde(flatten)] first_part_qnr: BTreeMap<u64, String> }
sample! { T82 plain 1 { [0] Self { depth_qlr: f0 (keep), state_qmr: f1 (flat), first_part_qnr: f2 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qbs")]
pub(crate) enum T83 {
    #[serde(rename = "BigStepQpr")] BigStepQor(T30),
    NoteQas { #[serde(alias = "label_qrr")] first_part_qqr: BTreeMap<T40, String>, weight_qsr: i8, owner_qtr: T19 }
}
sample! { T83 buffered 2 {
    [0] Self::BigStepQor { 0: f0 (keep) } (keep);
    [1] Self::NoteQas { first_part_qqr: f0 (keep), weight_qsr: f1 (keep), owner_qtr: f2 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "(Option<HashMap<IpAddr, f64>>, T25)", into = "(Option<HashMap<IpAddr, f64>>, T25)")]
pub(crate) struct T84 { depth_qcs: Option<HashMap<IpAddr, f64>>, first_part_qds: T25 }
converts! { T84 (Option<HashMap<IpAddr, f64>>, T25) depth_qcs first_part_qds }
sample! { T84 plain 1 { [0] Self { depth_qcs: f0 (keep), first_part_qds: f1 (keep) } (keep); } }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T85 {
    StopQes,
    StopQfs
}
sample! { T85 plain 2 {
    [0] Self::StopQes {  } (keep);
    [1] Self::StopQfs {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T86 {
    OpenQgs(i32, i16, u128),
    NoteQhs(Vec<i64>, Box<i32>),
    BigStepQis(T42, i128, usize),
    #[serde(rename = "MoveQks")] MoveQjs(f32)
}
sample! { T86 plain 4 {
    [0] Self::OpenQgs { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [1] Self::NoteQhs { 0: f0 (keep), 1: f1 (keep) } (keep);
    [2] Self::BigStepQis { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [3] Self::MoveQjs { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T87 {
    NoteQls(Option<f64>),
    NoteQms(Vec<Box<Duration>>),
    StopQps { angle_qos: i32, depth_qns: f64 },
    MoveQct { first_part_qbt: PathBuf, #[serde(rename(serialize = "first_part_qrs", deserialize = "label_qss"), default)] depth_qqs: T8, #[serde(rename = "label_qat")] weight_qts: Vec<Duration> },
    MoveQft { owner_qet: NonZero<i64>, weight_qdt: Vec<Vec<PathBuf>> }
}
sample! { T87 untagged 5 {
    [0] Self::NoteQls { 0: f0 (keep) } (keep);
    [1] Self::NoteQms { 0: f0 (keep) } (keep);
    [2] Self::StopQps { angle_qos: f0 (keep), depth_qns: f1 (keep) } (keep);
    [3] Self::MoveQct { first_part_qbt: f0 (keep), depth_qqs: f1 (written (Default::default())), weight_qts: f2 (keep) } (keep);
    [4] Self::MoveQft { owner_qet: f0 (keep), weight_qdt: f1 (keep) } (keep);
} }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T88 {
    BigStepQgt,
    MoveQht,
    MoveQit
}
sample! { T88 plain 3 {
    [0] Self::BigStepQgt {  } (keep);
    [1] Self::MoveQht {  } (keep);
    [2] Self::MoveQit {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T89 { angle_qjt: i8 }
sample! { T89 plain 1 { [0] Self { angle_qjt: f0 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T90 {
    MoveQkt(T68, Vec<Vec<usize>>),
    NoteQlt(i8)
}
sample! { T90 plain 2 {
    [0] Self::MoveQkt { 0: f0 (keep), 1: f1 (keep) } (keep);
    [1] Self::NoteQlt { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qpt", content = "content qpt")]
pub(crate) enum T91 {
    #[serde(skip)] BigStepQnt { depth_qmt: HashMap<T41, T86> },
    StopQot(BTreeMap<char, Vec<()>>, Box<PathBuf>)
}
sample! { T91 plain 2 {
    [0] Self::BigStepQnt { depth_qmt: f0 (keep) } (odd Skipped ["BigStepQnt"]);
    [1] Self::StopQot { 0: f0 (keep), 1: f1 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct T92 { #[serde(skip, default = "fixed")] angle_qqt: u16, first_part_qrt: HashMap<(isize, char), u64> }
sample! { T92 plain 1 { [0] Self { angle_qqt: f0 (gone (fixed())), first_part_qrt: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T93 {
    BigStepQst,
    #[serde(alias = "OpenQaab")] OpenQtt([char; 1])
}
sample! { T93 plain 2 {
    [0] Self::BigStepQst {  } (keep);
    [1] Self::OpenQtt { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T94 { #[serde(bound = "")] weight_qbab: Box<u32>, #[serde(skip_deserializing, default = "fixed")] depth_qcab: T63, #[serde(skip_serializing)] angle_qdab: Option<Option<Vec<u64>>> }
sample! { T94 plain 1 { [0] Self { weight_qbab: f0 (keep), depth_qcab: f1 (written (fixed())), angle_qdab: f2 (gone (None)) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T95((Option<T51>, T29), T14, (BTreeMap<(i32, String), Option<Cow<'static, str>>>, T63), (i8, Option<i16>, Vec<i32>));
sample! { T95 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep), 3: f3 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T96 { label_qeab: BTreeMap<bool, i64>, #[serde(rename = "colour_qgab")] owner_qfab: f32, #[serde(bound = "")] depth_qhab: Box<u32>, #[serde(rename(serialize = "owner_qjab", deserialize = "angle_qkab"), default = "fixed")] owner_qiab: T36, angle_qlab: i64 }
sample! { T96 plain 1 { [0] Self { label_qeab: f0 (keep), owner_qfab: f1 (keep), depth_qhab: f2 (keep), owner_qiab: f3 (written (fixed())), angle_qlab: f4 (keep) } (keep); } }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T97 {
    StopQmab,
    NoteQnab,
    NoteQoab,
    MoveQpab
}
sample! { T97 plain 4 {
    [0] Self::StopQmab {  } (keep);
    [1] Self::NoteQnab {  } (keep);
    [2] Self::NoteQoab {  } (keep);
    [3] Self::MoveQpab {  } (keep);
} }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum T98 {
    MoveQqab,
    BigStepQrab
}
sample! { T98 plain 2 {
    [0] Self::MoveQqab {  } (keep);
    [1] Self::BigStepQrab {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T99;
sample! { T99 plain 1 { [0] Self { } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T100;
sample! { T100 plain 1 { [0] Self { } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "snake_case", tag = "kind qtab")]
pub(crate) enum T101 {
    MoveQsab
}
sample! { T101 buffered 1 {
    [0] Self::MoveQsab {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T102(T1, f32);
sample! { T102 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T103(f64, #[serde(skip, default = "fixed")] Vec<i16>, T65);
sample! { T103 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (gone (fixed())), 2: f2 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T104 { label_qabb: T60, owner_qbbb: Duration, #[serde(flatten)] angle_qcbb: T52 }
sample! { T104 plain 1 { [0] Self { label_qabb: f0 (keep), owner_qbbb: f1 (keep), angle_qcbb: f2 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T105 {
    NoteQdbb([Vec<PathBuf>; 1], Option<i8>, Vec<String>),
    StopQjbb { depth_qibb: u32, #[serde(rename(serialize = "depth_qfbb", deserialize = "state_qgbb"), alias = "depth_qfbb")] label_qebb: NonZero<i64>, #[serde(default, skip_serializing_if = "at_times")] angle_qhbb: T1 },
    MoveQnbb { weight_qmbb: u64, state_qkbb: Box<T42>, weight_qlbb: T83 },
    NoteQobb(f32),
    NoteQpbb
}
sample! { T105 untagged 5 {
    [0] Self::NoteQdbb { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [1] Self::StopQjbb { depth_qibb: f0 (keep), label_qebb: f1 (keep), angle_qhbb: f2 (gone_if (at_times) (Default::default())) } (keep);
    [2] Self::MoveQnbb { weight_qmbb: f0 (keep), state_qkbb: f1 (keep), weight_qlbb: f2 (keep) } (keep);
    [3] Self::NoteQobb { 0: f0 (keep) } (keep);
    [4] Self::NoteQpbb {  } (keep);
} }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "lowercase")]
pub(crate) enum T106 {
    BigStepQqbb,
    OpenQrbb,
    StopQsbb
}
sample! { T106 plain 3 {
    [0] Self::BigStepQqbb {  } (keep);
    [1] Self::OpenQrbb {  } (keep);
    [2] Self::StopQsbb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, rename = "OtherT107")]
pub(crate) struct T107 { #[serde(skip_deserializing, default = "fixed")] colour_qtbb: u8, depth_qacb: isize, owner_qbcb: HashMap<u64, T68>, #[serde(deserialize_with = "by_any")] label_qccb: u32 }
sample! { T107 plain 1 { [0] Self { colour_qtbb: f0 (odd Unknown ["colour_qtbb"]), depth_qacb: f1 (keep), owner_qbcb: f2 (keep), label_qccb: f3 (same) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "((i16, [u128; 3]), Vec<Vec<PathBuf>>)", into = "((i16, [u128; 3]), Vec<Vec<PathBuf>>)")]
pub(crate) struct T108 { owner_qdcb: (i16, [u128; 3]), state_qecb: Vec<Vec<PathBuf>> }
converts_at_times! { T108 ((i16, [u128; 3]), Vec<Vec<PathBuf>>) owner_qdcb state_qecb }
sample! { T108 plain 1 { [0] Self { owner_qdcb: f0 (keep), state_qecb: f1 (keep) } (keep); } }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T109 {
    MoveQfcb,
    OpenQgcb,
    StopQhcb,
    MoveQicb,
    OpenQjcb
}
sample! { T109 plain 5 {
    [0] Self::MoveQfcb {  } (keep);
    [1] Self::OpenQgcb {  } (keep);
    [2] Self::StopQhcb {  } (keep);
    [3] Self::MoveQicb {  } (keep);
    [4] Self::OpenQjcb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T110 {
    NoteQkcb(Box<i16>, T53, Option<Option<i8>>),
    OpenQlcb(String, bool, Option<Option<String>>),
    MoveQmcb((Option<f32>, (f32, PathBuf), BTreeMap<isize, f32>)),
    BigStepQncb(Duration),
    StopQocb,
    #[serde(untagged)] OpenQpcb(i64)
}
sample! { T110 buffered 6 {
    [0] Self::NoteQkcb { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [1] Self::OpenQlcb { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [2] Self::MoveQmcb { 0: f0 (keep) } (keep);
    [3] Self::BigStepQncb { 0: f0 (keep) } (keep);
    [4] Self::StopQocb {  } (keep);
    [5] Self::OpenQpcb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T111(u64, BTreeMap<T41, u128>, char, #[serde(default = "fixed", skip_serializing_if = "at_times")] HashMap<T85, Duration>);
sample! { T111 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep), 3: f3 (gone_if (at_times) (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qscb")]
pub(crate) enum T112 {
    NoteQqcb,
    BigStepQrcb(T49)
}
sample! { T112 buffered 2 {
    [0] Self::NoteQqcb {  } (keep);
    [1] Self::BigStepQrcb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T113 {
    BigStepQtcb(T56, T38, IpAddr),
    OpenQadb,
    OpenQedb { first_part_qddb: f64, #[serde(with = "as_bytes")] label_qbdb: Vec<u8>, owner_qcdb: Box<usize> },
    BigStepQfdb(i16),
    StopQgdb(T59)
}
sample! { T113 untagged 5 {
    [0] Self::BigStepQtcb { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [1] Self::OpenQadb {  } (keep);
    [2] Self::OpenQedb { first_part_qddb: f0 (keep), label_qbdb: f1 (same), owner_qcdb: f2 (keep) } (keep);
    [3] Self::BigStepQfdb { 0: f0 (keep) } (keep);
    [4] Self::StopQgdb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T114 { owner_qhdb: T52, #[serde(default = "fixed")] weight_qidb: (T31, [T39; 3]) }
sample! { T114 plain 1 { [0] Self { owner_qhdb: f0 (keep), weight_qidb: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T115 { depth_qjdb: i64, #[serde(default = "fixed", skip_serializing_if = "at_times")] state_qkdb: (i64, (T29, T32)), #[serde(skip, default = "fixed")] depth_qldb: T44, #[serde(with = "as_text")] depth_qmdb: u64 }
sample! { T115 plain 1 { [0] Self { depth_qjdb: f0 (keep), state_qkdb: f1 (gone_if (at_times) (fixed())), depth_qldb: f2 (gone (fixed())), depth_qmdb: f3 (same) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T116(String, Vec<T97>, i128);
sample! { T116 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T117(T77, #[serde(skip, default = "fixed")] Vec<T38>);
sample! { T117 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (gone (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T118 {
    MoveQndb(T55),
    OpenQqdb { state_qpdb: char, #[serde(skip_serializing, default)] label_qodb: PathBuf },
    NoteQrdb(HashMap<String, Cow<'static, str>>, (Vec<f64>, T29, Vec<PathBuf>)),
    BigStepQsdb,
    MoveQtdb(f32)
}
sample! { T118 untagged 5 {
    [0] Self::MoveQndb { 0: f0 (keep) } (keep);
    [1] Self::OpenQqdb { state_qpdb: f0 (keep), label_qodb: f1 (gone (Default::default())) } (keep);
    [2] Self::NoteQrdb { 0: f0 (keep), 1: f1 (keep) } (keep);
    [3] Self::BigStepQsdb {  } (keep);
    [4] Self::MoveQtdb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "(u16, ())", into = "(u16, ())")]
pub(crate) struct T119 { label_qaeb: u16, first_part_qbeb: () }
converts_at_times! { T119 (u16, ()) label_qaeb first_part_qbeb }
sample! { T119 plain 1 { [0] Self { label_qaeb: f0 (keep), first_part_qbeb: f1 (keep) } (keep); } }

try_all! { T80 T81 T82 T83 T84 T85 T86 T87 T88 T89 T90 T91 T92 T93 T94 T95 T96 T97 T98 T99 T100 T101 T102 T103 T104 T105 T106 T107 T108 T109 T110 T111 T112 T113 T114 T115 T116 T117 T118 T119 }
