// Made by `cargo run -p mp-tests --bin serde_types` (seed 1711); not to be changed by hand.

#[allow(unused_imports)]
use super::*;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct T0 { #[serde(skip, default = "fixed")] colour_qb: u16, label_qc: Vec<f64> }
sample! { T0 plain 1 { [0] Self { colour_qb: f0 (gone (fixed())), label_qc: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T1 {
    MoveQd(T0),
    BigStepQk { weight_qj: u16, #[serde(rename(serialize = "angle_qf", deserialize = "weight_qg"), default)] label_qe: (u64, Vec<Cow<'static, str>>), #[serde(default = "fixed", skip_serializing_if = "at_times")] owner_qh: Box<BTreeMap<char, f32>>, #[serde(deserialize_with = "by_any")] state_qi: u32 },
    NoteQn { colour_qm: u32, #[serde(skip_serializing_if = "Option::is_none")] state_ql: Option<Option<i8>> },
    MoveQs { first_part_qr: i32, #[serde(rename(serialize = "angle_qp", deserialize = "depth_qq"), default)] state_qo: Option<f32> },
    BigStepQt(HashMap<i32, BTreeMap<String, String>>)
}
sample! { T1 untagged 5 {
    [0] Self::MoveQd { 0: f0 (keep) } (keep);
    [1] Self::BigStepQk { weight_qj: f0 (keep), label_qe: f1 (written (Default::default())), owner_qh: f2 (gone_if (at_times) (fixed())), state_qi: f3 (same) } (keep);
    [2] Self::NoteQn { colour_qm: f0 (keep), state_ql: f1 (keep) } (keep);
    [3] Self::MoveQs { first_part_qr: f0 (keep), state_qo: f1 (written (Default::default())) } (keep);
    [4] Self::BigStepQt { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T2 { #[serde(rename = "colour_qbb")] label_qab: u16, #[serde(default = "fixed")] weight_qcb: T0, colour_qdb: u128, depth_qeb: HashMap<(i64, char), [Vec<Cow<'static, str>>; 3]>, #[serde(flatten)] angle_qfb: BTreeMap<String, T1> }
sample! { T2 plain 1 { [0] Self { label_qab: f0 (keep), weight_qcb: f1 (keep), colour_qdb: f2 (keep), depth_qeb: f3 (keep), angle_qfb: f4 (flat) } (keep); } }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T3 {
    MoveQgb,
    NoteQhb,
    OpenQib,
    NoteQjb
}
sample! { T3 plain 4 {
    [0] Self::MoveQgb {  } (keep);
    [1] Self::NoteQhb {  } (keep);
    [2] Self::OpenQib {  } (keep);
    [3] Self::NoteQjb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T4 {
    BigStepQkb(f32),
    #[serde(alias = "OpenQmb")] BigStepQlb(BTreeMap<bool, Vec<f32>>),
    OpenQnb(char),
    #[serde(untagged)] MoveQob(i64)
}
sample! { T4 buffered 4 {
    [0] Self::BigStepQkb { 0: f0 (keep) } (keep);
    [1] Self::BigStepQlb { 0: f0 (keep) } (keep);
    [2] Self::OpenQnb { 0: f0 (keep) } (keep);
    [3] Self::MoveQob { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct T5 { depth_qpb: String, #[serde(default = "fixed", skip_serializing_if = "at_times")] angle_qqb: String, #[serde(skip_serializing, default = "fixed")] label_qrb: ((Vec<i16>, T0, [PathBuf; 2]), ()) }
sample! { T5 plain 1 { [0] Self { depth_qpb: f0 (keep), angle_qqb: f1 (gone_if (at_times) (fixed())), label_qrb: f2 (gone (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) struct T6 { #[serde(skip, default = "fixed")] owner_qsb: [Option<NonZero<u32>>; 1], #[serde(with = "as_text")] state_qtb: u64, #[serde(serialize_with = "as_i64")] owner_qac: u16, #[serde(skip_serializing, default)] owner_qbc: Vec<(Box<i128>, Option<String>, [(); 0])>, #[serde(flatten)] first_part_qcc: HashMap<String, f32> }
sample! { T6 plain 1 { [0] Self { owner_qsb: f0 (gone (fixed())), state_qtb: f1 (same), owner_qac: f2 (keep), owner_qbc: f3 (gone (Default::default())), first_part_qcc: f4 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T7 { #[serde(rename = "state_qec")] state_qdc: Vec<Duration>, #[serde(default, skip_serializing_if = "at_times")] state_qfc: char }
sample! { T7 plain 1 { [0] Self { state_qdc: f0 (keep), state_qfc: f1 (gone_if (at_times) (Default::default())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qnc", content = "content qnc")]
pub(crate) enum T8 {
    #[serde(rename_all = "lowercase")] NoteQhc { #[serde(skip_deserializing, default = "fixed")] state_qgc: Vec<f32> },
    NoteQic(T3, T7),
    OpenQmc { #[serde(default, skip_serializing_if = "Option::is_none")] state_qjc: Option<()>, #[serde(alias = "angle_qlc")] label_qkc: Option<T5> }
}
sample! { T8 plain 3 {
    [0] Self::NoteQhc { state_qgc: f0 (written (fixed())) } (keep);
    [1] Self::NoteQic { 0: f0 (keep), 1: f1 (keep) } (keep);
    [2] Self::OpenQmc { state_qjc: f0 (keep), label_qkc: f1 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename = "OtherT9")]
pub(crate) struct T9 { #[serde(rename = "colour_qpc")] owner_qoc: BTreeMap<NonZero<u32>, T7>, #[serde(skip_serializing, bound = "")] depth_qqc: T3, #[serde(bound = "", skip_serializing_if = "at_times")] first_part_qrc: Option<Vec<T2>> }
sample! { T9 plain 1 { [0] Self { owner_qoc: f0 (keep), depth_qqc: f1 (gone (Self::default().depth_qqc)), first_part_qrc: f2 (gone_if (at_times) (Self::default().first_part_qrc)) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "(NonZero<u32>, Option<Option<T7>>)", into = "(NonZero<u32>, Option<Option<T7>>)")]
pub(crate) struct T10 { colour_qsc: NonZero<u32>, angle_qtc: Option<Option<T7>> }
converts! { T10 (NonZero<u32>, Option<Option<T7>>) colour_qsc angle_qtc }
sample! { T10 plain 1 { [0] Self { colour_qsc: f0 (keep), angle_qtc: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T11 { angle_qad: Option<T4> }
sample! { T11 plain 1 { [0] Self { angle_qad: f0 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) struct T12 { state_qbd: Box<((usize, String), T6)>, state_qcd: (Box<bool>, Option<PathBuf>), label_qdd: PathBuf, #[serde(flatten)] label_qed: Option<T7> }
sample! { T12 plain 1 { [0] Self { state_qbd: f0 (keep), state_qcd: f1 (keep), label_qdd: f2 (keep), label_qed: f3 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T13;
sample! { T13 plain 1 { [0] Self { } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T14(HashMap<NonZero<i64>, HashMap<u8, Vec<char>>>, #[serde(skip, default = "fixed")] [Option<T6>; 1]);
sample! { T14 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (gone (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qid")]
pub(crate) enum T15 {
    OpenQfd,
    #[serde(rename = "BigStepQhd")] NoteQgd,
    #[serde(skip_deserializing)] NoteQjd { colour_qld: Vec<IpAddr>, colour_qmd: Option<T5> },
    #[serde(other)] StopQkd
}
sample! { T15 buffered 4 {
    [0] Self::OpenQfd {  } (keep);
    [1] Self::NoteQgd {  } (keep);
    [2] Self::NoteQjd { colour_qld: f0 (unread (fixed())), colour_qmd: f1 (unread (fixed())) } (other (Self::StopQkd));
    [3] Self::StopQkd {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "lowercase", tag = "kind qfe", content = "content qfe")]
pub(crate) enum T16 {
    OpenQrd { #[serde(rename = "first_part_qod")] colour_qnd: Box<Option<Duration>>, #[serde(default = "fixed")] owner_qpd: Option<Box<String>>, owner_qqd: u16 },
    OpenQsd(HashMap<(u8, char), T5>, u64),
    #[serde(alias = "OpenQce")] MoveQbe { #[serde(default = "fixed", skip_serializing_if = "at_times")] state_qtd: f64, #[serde(with = "as_text")] depth_qae: u64 },
    #[serde(alias = "MoveQee")] MoveQde((T4, Option<u32>))
}
sample! { T16 plain 4 {
    [0] Self::OpenQrd { colour_qnd: f0 (keep), owner_qpd: f1 (keep), owner_qqd: f2 (keep) } (keep);
    [1] Self::OpenQsd { 0: f0 (keep), 1: f1 (keep) } (keep);
    [2] Self::MoveQbe { state_qtd: f0 (gone_if (at_times) (fixed())), depth_qae: f1 (same) } (keep);
    [3] Self::MoveQde { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T17 { #[serde(with = "as_bytes")] owner_qge: Vec<u8> }
sample! { T17 plain 1 { [0] Self { owner_qge: f0 (same) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct T18 { weight_qhe: char, #[serde(skip_serializing, default = "fixed")] weight_qie: T10, #[serde(with = "as_text")] depth_qje: u128, #[serde(rename(serialize = "depth_qle", deserialize = "state_qme"), alias = "depth_qle")] colour_qke: HashMap<T3, HashMap<u64, Vec<usize>>>, #[serde(skip_serializing, default)] weight_qne: Vec<()> }
sample! { T18 plain 1 { [0] Self { weight_qhe: f0 (keep), weight_qie: f1 (gone (fixed())), depth_qje: f2 (same), colour_qke: f3 (keep), weight_qne: f4 (gone (Default::default())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T19 { #[serde(default = "fixed", skip_serializing_if = "at_times")] label_qoe: i8, state_qpe: T1, #[serde(skip_serializing, default)] owner_qqe: char, #[serde(rename(serialize = "weight_qse", deserialize = "first_part_qte"), alias = "weight_qse")] label_qre: BTreeMap<i64, Box<Option<()>>> }
sample! { T19 plain 1 { [0] Self { label_qoe: f0 (gone_if (at_times) (fixed())), state_qpe: f1 (keep), owner_qqe: f2 (gone (Default::default())), label_qre: f3 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T20 {
    NoteQdf { owner_qaf: (), #[serde(default, skip_serializing_if = "at_times")] angle_qbf: i8, #[serde(skip, default = "fixed")] depth_qcf: Vec<u64> },
    BigStepQff { #[serde(default = "fixed", skip_serializing_if = "at_times")] colour_qef: Vec<String> },
    NoteQif { first_part_qgf: Vec<Option<u32>>, label_qhf: Option<(i128, i16)> },
    MoveQmf { first_part_qjf: bool, #[serde(default, skip_serializing_if = "at_times")] owner_qkf: T10, first_part_qlf: i8 },
    MoveQnf(T0, HashMap<u32, (PathBuf, u8)>, u32)
}
sample! { T20 plain 5 {
    [0] Self::NoteQdf { owner_qaf: f0 (keep), angle_qbf: f1 (gone_if (at_times) (Default::default())), depth_qcf: f2 (gone (fixed())) } (keep);
    [1] Self::BigStepQff { colour_qef: f0 (gone_if (at_times) (fixed())) } (keep);
    [2] Self::NoteQif { first_part_qgf: f0 (keep), label_qhf: f1 (keep) } (keep);
    [3] Self::MoveQmf { first_part_qjf: f0 (keep), owner_qkf: f1 (gone_if (at_times) (Default::default())), first_part_qlf: f2 (keep) } (keep);
    [4] Self::MoveQnf { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qcg")]
pub(crate) enum T21 {
    MoveQof(T11),
    BigStepQpf(T11),
    MoveQqf(T17),
    NoteQbg { #[serde(rename(serialize = "first_part_qsf", deserialize = "label_qtf"), alias = "first_part_qsf")] weight_qrf: T19, angle_qag: BTreeMap<usize, String> },
    #[serde(skip_deserializing)] OpenQdg { state_qfg: f32, label_qgg: [Option<bool>; 1] },
    #[serde(other)] BigStepQeg
}
sample! { T21 buffered 6 {
    [0] Self::MoveQof { 0: f0 (keep) } (keep);
    [1] Self::BigStepQpf { 0: f0 (keep) } (keep);
    [2] Self::MoveQqf { 0: f0 (keep) } (keep);
    [3] Self::NoteQbg { weight_qrf: f0 (keep), angle_qag: f1 (keep) } (keep);
    [4] Self::OpenQdg { state_qfg: f0 (unread (fixed())), label_qgg: f1 (unread (fixed())) } (other (Self::BigStepQeg));
    [5] Self::BigStepQeg {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) struct T22 { #[serde(rename = "first_part_qig")] depth_qhg: T7, #[serde(skip, default = "fixed")] colour_qjg: BTreeMap<u16, Vec<PathBuf>>, #[serde(default = "fixed", skip_serializing_if = "at_times")] depth_qkg: T20, #[serde(skip_serializing)] owner_qlg: Option<Option<Vec<String>>>, #[serde(rename = "state_qng")] weight_qmg: T5 }
sample! { T22 plain 1 { [0] Self { depth_qhg: f0 (keep), colour_qjg: f1 (gone (fixed())), depth_qkg: f2 (gone_if (at_times) (fixed())), owner_qlg: f3 (gone (None)), weight_qmg: f4 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T23 { #[serde(default, skip_serializing_if = "at_times")] first_part_qog: Box<isize>, #[serde(alias = "angle_qqg")] state_qpg: T17, #[serde(flatten)] label_qrg: T7, #[serde(flatten)] label_qsg: BTreeMap<u64, Option<HashMap<i16, u32>>> }
sample! { T23 plain 1 { [0] Self { first_part_qog: f0 (gone_if (at_times) (Default::default())), state_qpg: f1 (keep), label_qrg: f2 (flat), label_qsg: f3 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T24 { #[serde(skip_serializing, default)] label_qtg: (), #[serde(with = "as_bytes")] angle_qah: Vec<u8>, #[serde(skip_serializing, default = "fixed")] state_qbh: Box<(T11, Option<u128>)> }
sample! { T24 plain 1 { [0] Self { label_qtg: f0 (gone (Default::default())), angle_qah: f1 (same), state_qbh: f2 (gone (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "(Vec<String>, Option<()>)", into = "(Vec<String>, Option<()>)")]
pub(crate) struct T25 { first_part_qch: Vec<String>, label_qdh: Option<()> }
converts_at_times! { T25 (Vec<String>, Option<()>) first_part_qch label_qdh }
sample! { T25 plain 1 { [0] Self { first_part_qch: f0 (keep), label_qdh: f1 (keep) } (keep); } }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T26 {
    BigStepQeh,
    BigStepQfh
}
sample! { T26 plain 2 {
    [0] Self::BigStepQeh {  } (keep);
    [1] Self::BigStepQfh {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum T27 {
    NoteQgh,
    MoveQhh,
    BigStepQih(Option<i128>, Box<T20>, HashMap<NonZero<i64>, HashMap<u16, Cow<'static, str>>>),
    MoveQjh(Box<T7>, (Option<u128>, u128, BTreeMap<String, NonZero<i64>>)),
    NoteQkh((Duration, i32))
}
sample! { T27 plain 5 {
    [0] Self::NoteQgh {  } (keep);
    [1] Self::MoveQhh {  } (keep);
    [2] Self::BigStepQih { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [3] Self::MoveQjh { 0: f0 (keep), 1: f1 (keep) } (keep);
    [4] Self::NoteQkh { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qnh", content = "content qnh")]
pub(crate) enum T28 {
    #[serde(alias = "NoteQmh")] BigStepQlh(T14)
}
sample! { T28 plain 1 {
    [0] Self::BigStepQlh { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T29 {
    BigStepQoh
}
sample! { T29 plain 1 {
    [0] Self::BigStepQoh {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct T30 { weight_qph: T25, #[serde(skip, default)] owner_qqh: PathBuf }
sample! { T30 plain 1 { [0] Self { weight_qph: f0 (keep), owner_qqh: f1 (gone (Default::default())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T31 {
    NoteQrh([T4; 2]),
    MoveQsh(T26),
    NoteQth(u8),
    StopQki(bool),
    StopQli
}
sample! { T31 untagged 5 {
    [0] Self::NoteQrh { 0: f0 (keep) } (keep);
    [1] Self::MoveQsh { 0: f0 (keep) } (keep);
    [2] Self::NoteQth { 0: f0 (keep) } (keep);
    [3] Self::StopQki { 0: f0 (keep) } (keep);
    [4] Self::StopQli {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "(Vec<[Option<u128>; 3]>, u8)", into = "(Vec<[Option<u128>; 3]>, u8)")]
pub(crate) struct T32 { angle_qmi: Vec<[Option<u128>; 3]>, state_qni: u8 }
converts_at_times! { T32 (Vec<[Option<u128>; 3]>, u8) angle_qmi state_qni }
sample! { T32 plain 1 { [0] Self { angle_qmi: f0 (keep), state_qni: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename = "OtherT33")]
pub(crate) struct T33 { #[serde(skip_deserializing, default)] owner_qoi: T2, #[serde(skip_serializing, default)] depth_qpi: T10, #[serde(rename = "angle_qri")] angle_qqi: Vec<T25>, owner_qsi: Option<T9> }
sample! { T33 plain 1 { [0] Self { owner_qoi: f0 (written (Default::default())), depth_qpi: f1 (gone (Default::default())), angle_qqi: f2 (keep), owner_qsi: f3 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T34 { label_qti: PathBuf, #[serde(flatten)] label_qaj: BTreeMap<String, Vec<[IpAddr; 1]>> }
sample! { T34 plain 1 { [0] Self { label_qti: f0 (keep), label_qaj: f1 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qcj", content = "content qcj")]
pub(crate) enum T35 {
    OpenQbj(T21)
}
sample! { T35 plain 1 {
    [0] Self::OpenQbj { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct T36 { #[serde(skip, default = "fixed")] angle_qdj: u16, first_part_qej: Option<i8> }
sample! { T36 plain 1 { [0] Self { angle_qdj: f0 (gone (fixed())), first_part_qej: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind qgj", content = "content qgj")]
pub(crate) enum T37 {
    NoteQfj(Option<String>)
}
sample! { T37 plain 1 {
    [0] Self::NoteQfj { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct T38 { #[serde(skip, default = "fixed")] colour_qhj: u16, weight_qij: NonZero<i64> }
sample! { T38 plain 1 { [0] Self { colour_qhj: f0 (gone (fixed())), weight_qij: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "(Vec<Duration>, PathBuf)", into = "(Vec<Duration>, PathBuf)")]
pub(crate) struct T39 { state_qjj: Vec<Duration>, colour_qkj: PathBuf }
converts_at_times! { T39 (Vec<Duration>, PathBuf) state_qjj colour_qkj }
sample! { T39 plain 1 { [0] Self { state_qjj: f0 (keep), colour_qkj: f1 (keep) } (keep); } }

try_all! { T0 T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15 T16 T17 T18 T19 T20 T21 T22 T23 T24 T25 T26 T27 T28 T29 T30 T31 T32 T33 T34 T35 T36 T37 T38 T39 }
