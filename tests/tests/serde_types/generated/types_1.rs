// Made by `cargo run -p mp-tests --bin serde_types` (seed 1711); not to be changed by hand.

#[allow(unused_imports)]
use super::*;

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T40 {
    NoteQlj,
    OpenQmj,
    OpenQnj,
    OpenQoj
}
sample! { T40 plain 4 {
    [0] Self::NoteQlj {  } (keep);
    [1] Self::OpenQmj {  } (keep);
    [2] Self::OpenQnj {  } (keep);
    [3] Self::OpenQoj {  } (keep);
} }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "PascalCase")]
pub(crate) enum T41 {
    StopQpj,
    MoveQqj
}
sample! { T41 plain 2 {
    [0] Self::StopQpj {  } (keep);
    [1] Self::MoveQqj {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct T42 { #[serde(skip, default = "fixed")] angle_qrj: u16, angle_qsj: Option<T41> }
sample! { T42 plain 1 { [0] Self { angle_qrj: f0 (gone (fixed())), angle_qsj: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T43(String, Box<f64>, T28, #[serde(skip, default = "fixed")] HashMap<T40, f64>);
sample! { T43 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep), 3: f3 (gone (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct T44 { #[serde(default = "fixed", skip_serializing_if = "at_times")] first_part_qtj: u128, #[serde(skip_deserializing, bound = "")] angle_qak: Option<((), T39)>, #[serde(bound = "")] label_qbk: HashMap<NonZero<i64>, f64>, first_part_qck: Cow<'static, str>, colour_qdk: Vec<Option<[String; 0]>> }
sample! { T44 plain 1 { [0] Self { first_part_qtj: f0 (gone_if (at_times) (fixed())), angle_qak: f1 (written (Self::default().angle_qak)), label_qbk: f2 (keep), first_part_qck: f3 (keep), colour_qdk: f4 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qik", content = "content qik")]
pub(crate) enum T45 {
    #[serde(rename = "OpenQfk")] MoveQek,
    #[serde(rename = "NoteQhk")] BigStepQgk([(f32, PathBuf); 3], Option<Option<u16>>)
}
sample! { T45 plain 2 {
    [0] Self::MoveQek {  } (keep);
    [1] Self::BigStepQgk { 0: f0 (keep), 1: f1 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct T46 { weight_qjk: Option<Vec<(i128, String, u64)>>, owner_qkk: Vec<i64> }
sample! { T46 plain 1 { [0] Self { weight_qjk: f0 (keep), owner_qkk: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qqk", content = "content qqk")]
pub(crate) enum T47 {
    NoteQlk([HashMap<NonZero<i64>, i16>; 3], i32),
    #[serde(alias = "OpenQnk")] MoveQmk(PathBuf),
    MoveQok,
    StopQpk(Option<T10>, BTreeMap<usize, Vec<PathBuf>>, String)
}
sample! { T47 plain 4 {
    [0] Self::NoteQlk { 0: f0 (keep), 1: f1 (keep) } (keep);
    [1] Self::MoveQmk { 0: f0 (keep) } (keep);
    [2] Self::MoveQok {  } (keep);
    [3] Self::StopQpk { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename = "OtherT48")]
pub(crate) struct T48 { first_part_qrk: usize, #[serde(skip, default)] owner_qsk: HashMap<T3, Vec<BTreeMap<T26, String>>>, depth_qtk: T1, owner_qcl: bool, #[serde(flatten)] owner_qdl: Option<T17> }
sample! { T48 plain 1 { [0] Self { first_part_qrk: f0 (keep), owner_qsk: f1 (gone (Default::default())), depth_qtk: f2 (keep), owner_qcl: f3 (keep), owner_qdl: f4 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T49 {
    StopQel(Option<isize>, u64, i32)
}
sample! { T49 plain 1 {
    [0] Self::StopQel { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct T50 { state_qfl: T16, angle_qgl: PathBuf, colour_qhl: Vec<T25>, #[serde(rename = "owner_qjl")] label_qil: (bool, T30, Vec<i8>) }
sample! { T50 plain 1 { [0] Self { state_qfl: f0 (keep), angle_qgl: f1 (keep), colour_qhl: f2 (keep), label_qil: f3 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qpl", content = "content qpl")]
pub(crate) enum T51 {
    MoveQnl { #[serde(rename(serialize = "state_qll", deserialize = "owner_qml"), default = "fixed")] state_qkl: usize },
    MoveQol(T19, Option<Vec<i128>>)
}
sample! { T51 plain 2 {
    [0] Self::MoveQnl { state_qkl: f0 (written (fixed())) } (keep);
    [1] Self::MoveQol { 0: f0 (keep), 1: f1 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T52 { weight_qql: Option<T26>, #[serde(default, skip_serializing_if = "at_times")] owner_qrl: Vec<Option<Option<i32>>>, state_qsl: T41, angle_qtl: Option<Option<[String; 2]>> }
sample! { T52 plain 1 { [0] Self { weight_qql: f0 (keep), owner_qrl: f1 (gone_if (at_times) (Default::default())), state_qsl: f2 (keep), angle_qtl: f3 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qfm", content = "content qfm")]
pub(crate) enum T53 {
    NoteQam(T42, Vec<f32>),
    BigStepQbm,
    MoveQdm { #[serde(with = "as_text")] state_qcm: u128 },
    BigStepQem(T7, T17)
}
sample! { T53 plain 4 {
    [0] Self::NoteQam { 0: f0 (keep), 1: f1 (keep) } (keep);
    [1] Self::BigStepQbm {  } (keep);
    [2] Self::MoveQdm { state_qcm: f0 (same) } (keep);
    [3] Self::BigStepQem { 0: f0 (keep), 1: f1 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) struct T54 { depth_qgm: Box<BTreeMap<IpAddr, T23>>, owner_qhm: String }
sample! { T54 plain 1 { [0] Self { depth_qgm: f0 (keep), owner_qhm: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct T55 { #[serde(skip, default = "fixed")] state_qim: u16, first_part_qjm: i16 }
sample! { T55 plain 1 { [0] Self { state_qim: f0 (gone (fixed())), first_part_qjm: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T56 {
    #[serde(rename = "BigStepQlm")] OpenQkm(BTreeMap<(u16, char), u64>, T1, String),
    MoveQmm
}
sample! { T56 plain 2 {
    [0] Self::OpenQkm { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [1] Self::MoveQmm {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T57(Vec<Option<Box<i16>>>, u8, #[serde(default = "fixed", skip_serializing_if = "at_times")] i128);
sample! { T57 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (keep), 2: f2 (gone_if (at_times) (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T58 {
    #[serde(skip_deserializing)] OpenQnm,
    OpenQom(T20),
    BigStepQpm(BTreeMap<T40, T44>, i64, Option<HashMap<u64, i64>>)
}
sample! { T58 plain 3 {
    [0] Self::OpenQnm {  } (odd NotRead ["OpenQnm"]);
    [1] Self::OpenQom { 0: f0 (keep) } (keep);
    [2] Self::BigStepQpm { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T59(T37);
sample! { T59 plain 1 { [0] Self { 0: f0 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T60 {
    OpenQqm,
    StopQrm,
    #[serde(rename_all = "lowercase")] StopQtm { state_qsm: T28 },
    OpenQan(Vec<Vec<String>>, (T3, T57)),
    OpenQbn(Option<i8>)
}
sample! { T60 plain 5 {
    [0] Self::OpenQqm {  } (keep);
    [1] Self::StopQrm {  } (keep);
    [2] Self::StopQtm { state_qsm: f0 (keep) } (keep);
    [3] Self::OpenQan { 0: f0 (keep), 1: f1 (keep) } (keep);
    [4] Self::OpenQbn { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T61 { owner_qcn: i16, state_qdn: T38, #[serde(default = "fixed")] first_part_qen: T27, weight_qfn: [[Option<u8>; 3]; 2], #[serde(flatten)] colour_qgn: HashMap<String, Duration> }
sample! { T61 plain 1 { [0] Self { owner_qcn: f0 (keep), state_qdn: f1 (keep), first_part_qen: f2 (keep), weight_qfn: f3 (keep), colour_qgn: f4 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qmn")]
pub(crate) enum T62 {
    MoveQhn,
    #[serde(rename = "BigStepQjn")] StopQin,
    OpenQkn,
    NoteQln(Vec<u8>),
    #[serde(skip_deserializing)] StopQnn { weight_qpn: Cow<'static, str>, colour_qqn: HashMap<String, (isize, char, IpAddr)> },
    #[serde(other)] BigStepQon
}
sample! { T62 buffered 6 {
    [0] Self::MoveQhn {  } (keep);
    [1] Self::StopQin {  } (keep);
    [2] Self::OpenQkn {  } (keep);
    [3] Self::NoteQln { 0: f0 (keep) } (odd NoMap ["NoteQln"]);
    [4] Self::StopQnn { weight_qpn: f0 (unread (fixed())), colour_qqn: f1 (unread (fixed())) } (other (Self::BigStepQon));
    [5] Self::BigStepQon {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE", tag = "kind qfo", content = "content qfo")]
pub(crate) enum T63 {
    BigStepQtn { depth_qrn: T1, #[serde(bound = "")] first_part_qsn: Box<u32> },
    BigStepQdo { #[serde(skip_serializing, default)] colour_qao: char, #[serde(default = "fixed", skip_serializing_if = "at_times")] owner_qbo: String, colour_qco: String },
    StopQeo(Vec<Option<char>>)
}
sample! { T63 plain 3 {
    [0] Self::BigStepQtn { depth_qrn: f0 (keep), first_part_qsn: f1 (keep) } (keep);
    [1] Self::BigStepQdo { colour_qao: f0 (gone (Default::default())), owner_qbo: f1 (gone_if (at_times) (fixed())), colour_qco: f2 (keep) } (keep);
    [2] Self::StopQeo { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T64 { state_qgo: T63, state_qho: usize, #[serde(default, skip_serializing_if = "at_times")] state_qio: T18, colour_qjo: String, #[serde(flatten)] first_part_qko: T18 }
sample! { T64 plain 1 { [0] Self { state_qgo: f0 (keep), state_qho: f1 (keep), state_qio: f2 (gone_if (at_times) (Default::default())), colour_qjo: f3 (keep), first_part_qko: f4 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "SCREAMING-KEBAB-CASE", tag = "kind qno", content = "content qno")]
pub(crate) enum T65 {
    NoteQlo(u32),
    StopQmo
}
sample! { T65 plain 2 {
    [0] Self::NoteQlo { 0: f0 (keep) } (keep);
    [1] Self::StopQmo {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qpo", content = "content qpo")]
pub(crate) enum T66 {
    OpenQoo((f32, NonZero<u32>))
}
sample! { T66 plain 1 {
    [0] Self::OpenQoo { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub(crate) struct T67 { first_part_qqo: String, #[serde(skip_deserializing, default = "fixed")] first_part_qro: Box<HashMap<(isize, char), Vec<i16>>>, angle_qso: Option<i64> }
sample! { T67 plain 1 { [0] Self { first_part_qqo: f0 (keep), first_part_qro: f1 (written (fixed())), angle_qso: f2 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "UPPERCASE")]
pub(crate) enum T68 {
    #[serde(rename = "MoveQep")] StopQdp { #[serde(with = "as_text")] state_qto: u128, #[serde(rename(serialize = "weight_qbp", deserialize = "angle_qcp"), alias = "weight_qbp")] angle_qap: (i32, T27) },
    #[serde(rename = "OpenQjp")] BigStepQip { #[serde(skip, default)] depth_qfp: Option<BTreeMap<String, Duration>>, #[serde(rename = "weight_qhp")] first_part_qgp: (bool, (u16, u32, bool), T10) },
    OpenQkp
}
sample! { T68 plain 3 {
    [0] Self::StopQdp { state_qto: f0 (same), angle_qap: f1 (keep) } (keep);
    [1] Self::BigStepQip { depth_qfp: f0 (gone (Default::default())), first_part_qgp: f1 (keep) } (keep);
    [2] Self::OpenQkp {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T69 { #[serde(alias = "weight_qmp")] state_qlp: T1, #[serde(skip_deserializing, default = "fixed")] label_qnp: T56, #[serde(default, skip_serializing_if = "Option::is_none")] owner_qop: Option<i128>, #[serde(default = "fixed", skip_serializing_if = "at_times")] weight_qpp: Box<Vec<Cow<'static, str>>> }
sample! { T69 plain 1 { [0] Self { state_qlp: f0 (keep), label_qnp: f1 (written (fixed())), owner_qop: f2 (keep), weight_qpp: f3 (gone_if (at_times) (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T70 { angle_qqp: Duration, colour_qrp: Option<Box<T70>>, #[serde(rename = "below")] colour_qsp: Vec<T70> }
sample! { T70 plain 1 { [0] Self { angle_qqp: f0 (keep), colour_qrp: f1 (keep), colour_qsp: f2 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T71 { #[serde(skip_deserializing, default = "fixed")] owner_qtp: T56, angle_qaq: Option<String> }
sample! { T71 plain 1 { [0] Self { owner_qtp: f0 (written (fixed())), angle_qaq: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T72(BTreeMap<String, T41>, Option<bool>);
sample! { T72 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T73 { #[serde(skip_deserializing, default = "fixed")] owner_qbq: HashMap<String, Option<usize>>, #[serde(flatten)] owner_qcq: Option<T30> }
sample! { T73 plain 1 { [0] Self { owner_qbq: f0 (unread (fixed())), owner_qcq: f1 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T74 {
    BigStepQdq(Option<HashMap<i64, i32>>, u64),
    MoveQeq,
    BigStepQiq { colour_qhq: NonZero<u32>, owner_qfq: Box<u16>, #[serde(default, skip_serializing_if = "at_times")] angle_qgq: [T21; 1] },
    BigStepQjq(i32),
    OpenQkq(String)
}
sample! { T74 untagged 5 {
    [0] Self::BigStepQdq { 0: f0 (keep), 1: f1 (keep) } (keep);
    [1] Self::MoveQeq {  } (keep);
    [2] Self::BigStepQiq { colour_qhq: f0 (keep), owner_qfq: f1 (keep), angle_qgq: f2 (gone_if (at_times) (Default::default())) } (keep);
    [3] Self::BigStepQjq { 0: f0 (keep) } (keep);
    [4] Self::OpenQkq { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T75 {
    StopQlq(String, Option<char>),
    OpenQmq(u128, Option<[i128; 0]>, Vec<HashMap<i16, String>>),
    StopQnq([(f64, f32, bool); 3], char)
}
sample! { T75 plain 3 {
    [0] Self::StopQlq { 0: f0 (keep), 1: f1 (keep) } (keep);
    [1] Self::OpenQmq { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [2] Self::StopQnq { 0: f0 (keep), 1: f1 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T76 { first_part_qoq: char, #[serde(with = "as_bytes")] label_qpq: Vec<u8> }
sample! { T76 plain 1 { [0] Self { first_part_qoq: f0 (keep), label_qpq: f1 (same) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct T77 { #[serde(skip, default = "fixed")] angle_qqq: Option<f64>, #[serde(alias = "owner_qsq")] label_qrq: [Option<f32>; 2], #[serde(default = "fixed")] colour_qtq: Option<i128> }
sample! { T77 plain 1 { [0] Self { angle_qqq: f0 (gone (fixed())), label_qrq: f1 (keep), colour_qtq: f2 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T78 { angle_qar: Vec<Vec<f32>>, #[serde(with = "as_text")] depth_qbr: u128, #[serde(skip_deserializing, default)] depth_qcr: u128, #[serde(flatten)] first_part_qdr: T30 }
sample! { T78 plain 1 { [0] Self { angle_qar: f0 (keep), depth_qbr: f1 (same), depth_qcr: f2 (unread (Default::default())), first_part_qdr: f3 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qir", content = "content qir")]
pub(crate) enum T79 {
    StopQer,
    #[serde(alias = "BigStepQgr")] BigStepQfr(usize),
    MoveQhr((isize, Box<u64>, [Duration; 1]), T41)
}
sample! { T79 plain 3 {
    [0] Self::StopQer {  } (keep);
    [1] Self::BigStepQfr { 0: f0 (keep) } (keep);
    [2] Self::MoveQhr { 0: f0 (keep), 1: f1 (keep) } (keep);
} }

try_all! { T40 T41 T42 T43 T44 T45 T46 T47 T48 T49 T50 T51 T52 T53 T54 T55 T56 T57 T58 T59 T60 T61 T62 T63 T64 T65 T66 T67 T68 T69 T70 T71 T72 T73 T74 T75 T76 T77 T78 T79 }
