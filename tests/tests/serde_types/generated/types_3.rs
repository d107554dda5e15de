// Made by `cargo run -p mp-tests --bin serde_types` (seed 1711); not to be changed by hand.

#[allow(unused_imports)]
use super::*;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T120 {
    StopQceb(Option<i128>),
    MoveQdeb(T109),
    OpenQieb { #[serde(skip_serializing_if = "at_times")] weight_qeeb: [Box<bool>; 1], #[serde(rename = "state_qgeb")] depth_qfeb: T63, depth_qheb: (Box<Duration>, i32) },
    NoteQmeb { #[serde(with = "as_bytes")] first_part_qjeb: Vec<u8>, #[serde(default = "fixed", skip_serializing_if = "at_times")] angle_qkeb: IpAddr, #[serde(default = "fixed", skip_serializing_if = "at_times")] state_qleb: T49 },
    NoteQneb(Cow<'static, str>)
}
sample! { T120 plain 5 {
    [0] Self::StopQceb { 0: f0 (keep) } (keep);
    [1] Self::MoveQdeb { 0: f0 (keep) } (keep);
    [2] Self::OpenQieb { weight_qeeb: f0 (lost_if (at_times) Missing ["weight_qeeb"]), depth_qfeb: f1 (keep), depth_qheb: f2 (keep) } (keep);
    [3] Self::NoteQmeb { first_part_qjeb: f0 (same), angle_qkeb: f1 (gone_if (at_times) (fixed())), state_qleb: f2 (gone_if (at_times) (fixed())) } (keep);
    [4] Self::NoteQneb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T121 { #[serde(skip, default = "fixed")] colour_qoeb: BTreeMap<i64, HashMap<u16, (String, char, bool)>> }
sample! { T121 plain 1 { [0] Self { colour_qoeb: f0 (gone (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T122 {
    NoteQpeb(()),
    NoteQseb { depth_qqeb: T35, state_qreb: f32 },
    #[serde(untagged)] MoveQteb(i64)
}
sample! { T122 buffered 3 {
    [0] Self::NoteQpeb { 0: f0 (keep) } (keep);
    [1] Self::NoteQseb { depth_qqeb: f0 (keep), state_qreb: f1 (keep) } (keep);
    [2] Self::MoveQteb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T123(char, bool, String);
sample! { T123 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qdfb", content = "content qdfb")]
pub(crate) enum T124 {
    BigStepQafb(f32),
    #[serde(skip)] OpenQbfb((String, Option<bool>, T38)),
    MoveQcfb((T60, Box<String>, i128), Box<Box<u32>>, Option<[u128; 3]>)
}
sample! { T124 plain 3 {
    [0] Self::BigStepQafb { 0: f0 (keep) } (keep);
    [1] Self::OpenQbfb { 0: f0 (keep) } (odd Skipped ["OpenQbfb"]);
    [2] Self::MoveQcfb { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, tag = "kind qffb", content = "content qffb")]
pub(crate) enum T125 {
    OpenQefb(i32)
}
sample! { T125 plain 1 {
    [0] Self::OpenQefb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T126 {
    BigStepQgfb,
    MoveQhfb(HashMap<char, T100>),
    BigStepQifb
}
sample! { T126 plain 3 {
    [0] Self::BigStepQgfb {  } (keep);
    [1] Self::MoveQhfb { 0: f0 (keep) } (keep);
    [2] Self::BigStepQifb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) struct T127 { #[serde(default, skip_serializing_if = "at_times")] owner_qjfb: String, #[serde(skip_serializing, default = "fixed")] depth_qkfb: Vec<T81>, #[serde(skip_serializing, default)] state_qlfb: String, #[serde(rename = "weight_qnfb")] first_part_qmfb: String, angle_qofb: bool, #[serde(flatten)] depth_qpfb: Option<T30> }
sample! { T127 plain 1 { [0] Self { owner_qjfb: f0 (gone_if (at_times) (Default::default())), depth_qkfb: f1 (gone (fixed())), state_qlfb: f2 (gone (Default::default())), first_part_qmfb: f3 (keep), angle_qofb: f4 (keep), depth_qpfb: f5 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T128 {
    MoveQqfb((T14, T78, Box<String>), f32),
    StopQrfb,
    OpenQsfb,
    OpenQtfb
}
sample! { T128 plain 4 {
    [0] Self::MoveQqfb { 0: f0 (keep), 1: f1 (keep) } (keep);
    [1] Self::StopQrfb {  } (keep);
    [2] Self::OpenQsfb {  } (keep);
    [3] Self::OpenQtfb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T129 { #[serde(skip_deserializing, default)] state_qagb: T78 }
sample! { T129 plain 1 { [0] Self { state_qagb: f0 (written (Default::default())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T130 {
    NoteQbgb(Option<Box<String>>, T26, f32),
    StopQcgb,
    NoteQggb { colour_qfgb: f64, #[serde(skip_serializing, default)] depth_qdgb: Vec<f64>, #[serde(skip_serializing, default)] state_qegb: T11 },
    StopQhgb(u16),
    BigStepQmgb { label_qlgb: isize, #[serde(rename(serialize = "colour_qjgb", deserialize = "angle_qkgb"))] label_qigb: String }
}
sample! { T130 untagged 5 {
    [0] Self::NoteQbgb { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [1] Self::StopQcgb {  } (keep);
    [2] Self::NoteQggb { colour_qfgb: f0 (keep), depth_qdgb: f1 (gone (Default::default())), state_qegb: f2 (gone (Default::default())) } (keep);
    [3] Self::StopQhgb { 0: f0 (keep) } (keep);
    [4] Self::BigStepQmgb { label_qlgb: f0 (keep), label_qigb: f1 (odd Names ["colour_qjgb", "angle_qkgb"]) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qsgb")]
pub(crate) enum T131 {
    #[serde(skip_deserializing)] MoveQqgb { #[serde(rename(serialize = "angle_qogb", deserialize = "owner_qpgb"), alias = "angle_qogb")] label_qngb: isize },
    OpenQrgb
}
sample! { T131 buffered 2 {
    [0] Self::MoveQqgb { label_qngb: f0 (keep) } (odd NotRead ["MoveQqgb"]);
    [1] Self::OpenQrgb {  } (keep);
} }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T132 {
    BigStepQtgb,
    NoteQahb,
    OpenQbhb,
    OpenQchb,
    NoteQdhb
}
sample! { T132 plain 5 {
    [0] Self::BigStepQtgb {  } (keep);
    [1] Self::NoteQahb {  } (keep);
    [2] Self::OpenQbhb {  } (keep);
    [3] Self::OpenQchb {  } (keep);
    [4] Self::NoteQdhb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum T133 {
    StopQehb(T52),
    BigStepQhhb { #[serde(default = "fixed", skip_serializing_if = "at_times")] depth_qfhb: T67, state_qghb: HashMap<(i16, char), (String, f64, String)> },
    #[serde(rename = "MoveQlhb")] MoveQkhb { weight_qihb: f32, #[serde(skip_serializing, default)] first_part_qjhb: HashMap<isize, u32> },
    OpenQmhb(Option<T1>),
    #[serde(untagged)] StopQnhb(i64)
}
sample! { T133 buffered 5 {
    [0] Self::StopQehb { 0: f0 (keep) } (keep);
    [1] Self::BigStepQhhb { depth_qfhb: f0 (gone_if (at_times) (fixed())), state_qghb: f1 (keep) } (keep);
    [2] Self::MoveQkhb { weight_qihb: f0 (keep), first_part_qjhb: f1 (gone (Default::default())) } (keep);
    [3] Self::OpenQmhb { 0: f0 (keep) } (keep);
    [4] Self::StopQnhb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qdib")]
pub(crate) enum T134 {
    #[serde(skip)] BigStepQrhb { weight_qohb: T96, #[serde(alias = "owner_qqhb")] weight_qphb: HashMap<T132, T4> },
    BigStepQshb(T7),
    NoteQcib { #[serde(alias = "owner_qaib")] first_part_qthb: HashMap<bool, i8>, label_qbib: T0 },
    #[serde(skip_deserializing)] StopQeib { weight_qgib: T7, first_part_qhib: Box<T90> },
    #[serde(other)] NoteQfib
}
sample! { T134 buffered 5 {
    [0] Self::BigStepQrhb { weight_qohb: f0 (keep), weight_qphb: f1 (keep) } (odd Skipped ["BigStepQrhb"]);
    [1] Self::BigStepQshb { 0: f0 (keep) } (keep);
    [2] Self::NoteQcib { first_part_qthb: f0 (keep), label_qbib: f1 (keep) } (keep);
    [3] Self::StopQeib { weight_qgib: f0 (unread (fixed())), first_part_qhib: f1 (unread (fixed())) } (other (Self::NoteQfib));
    [4] Self::NoteQfib {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T135 { owner_qiib: (Option<i64>, NonZero<u32>, T24), first_part_qjib: Option<Box<T135>>, first_part_qkib: Vec<T135> }
sample! { T135 plain 1 { [0] Self { owner_qiib: f0 (keep), first_part_qjib: f1 (keep), first_part_qkib: f2 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T136 { label_qlib: u16, owner_qmib: Box<i128>, #[serde(default = "fixed", skip_serializing_if = "at_times")] state_qnib: f32, #[serde(rename(serialize = "colour_qpib", deserialize = "first_part_qqib"))] state_qoib: i8, #[serde(flatten)] angle_qrib: Option<T52> }
sample! { T136 plain 1 { [0] Self { label_qlib: f0 (keep), owner_qmib: f1 (keep), state_qnib: f2 (gone_if (at_times) (fixed())), state_qoib: f3 (odd Names ["colour_qpib", "first_part_qqib"]), angle_qrib: f4 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields, rename = "OtherT137")]
pub(crate) struct T137 { #[serde(default = "fixed", skip_serializing_if = "at_times")] depth_qsib: char }
sample! { T137 plain 1 { [0] Self { depth_qsib: f0 (gone_if (at_times) (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T138;
sample! { T138 plain 1 { [0] Self { } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum T139 {
    MoveQtib(Duration, i64, T35),
    MoveQajb,
    StopQbjb(HashMap<String, T48>, f32),
    MoveQcjb(f32)
}
sample! { T139 plain 4 {
    [0] Self::MoveQtib { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [1] Self::MoveQajb {  } (keep);
    [2] Self::StopQbjb { 0: f0 (keep), 1: f1 (keep) } (keep);
    [3] Self::MoveQcjb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T140 {
    #[serde(skip_deserializing)] MoveQdjb(Option<Option<f64>>, Vec<Cow<'static, str>>, T7)
}
sample! { T140 plain 1 {
    [0] Self::MoveQdjb { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (odd NotRead ["MoveQdjb"]);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) struct T141 { #[serde(skip_serializing, default)] angle_qejb: [u64; 0], #[serde(with = "as_bytes")] colour_qfjb: Vec<u8>, colour_qgjb: Option<Vec<usize>>, #[serde(rename = "state_qijb")] weight_qhjb: i16, #[serde(flatten)] first_part_qjjb: BTreeMap<String, f32> }
sample! { T141 plain 1 { [0] Self { angle_qejb: f0 (gone (Default::default())), colour_qfjb: f1 (same), colour_qgjb: f2 (keep), weight_qhjb: f3 (keep), first_part_qjjb: f4 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T142 {
    #[serde(rename = "NoteQljb")] NoteQkjb([String; 1], ((u32, usize, i32), T90))
}
sample! { T142 plain 1 {
    [0] Self::NoteQkjb { 0: f0 (keep), 1: f1 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub(crate) enum T143 {
    StopQmjb(Option<f64>, T108),
    NoteQnjb,
    StopQojb(Option<T48>, (Box<f32>, NonZero<u32>, i32)),
    MoveQpjb(String)
}
sample! { T143 plain 4 {
    [0] Self::StopQmjb { 0: f0 (keep), 1: f1 (keep) } (keep);
    [1] Self::NoteQnjb {  } (keep);
    [2] Self::StopQojb { 0: f0 (keep), 1: f1 (keep) } (keep);
    [3] Self::MoveQpjb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct T144 { #[serde(skip_deserializing, default = "fixed")] first_part_qqjb: Vec<PathBuf>, #[serde(default = "fixed")] state_qrjb: u128, #[serde(skip_serializing, default = "fixed")] colour_qsjb: (Box<u32>, T99), #[serde(skip_serializing, default = "fixed")] label_qtjb: T33 }
sample! { T144 plain 1 { [0] Self { first_part_qqjb: f0 (written (fixed())), state_qrjb: f1 (keep), colour_qsjb: f2 (gone (fixed())), label_qtjb: f3 (gone (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T145(T47, Vec<Option<BTreeMap<T132, Duration>>>, Box<Option<f32>>, #[serde(skip_serializing)] Vec<u64>);
sample! { T145 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep), 3: f3 (odd Count ["T145"]) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T146 {
    OpenQakb,
    #[serde(rename = "BigStepQckb")] BigStepQbkb
}
sample! { T146 plain 2 {
    [0] Self::OpenQakb {  } (keep);
    [1] Self::BigStepQbkb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T147;
sample! { T147 plain 1 { [0] Self { } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T148 {
    OpenQdkb(PathBuf, PathBuf, T133),
    StopQhkb { state_qgkb: IpAddr, #[serde(default, skip_serializing_if = "at_times")] first_part_qekb: T109, #[serde(with = "as_bytes")] weight_qfkb: Vec<u8> },
    StopQikb,
    BigStepQpkb { state_qokb: String, first_part_qjkb: Option<(i16, f32)>, #[serde(rename(serialize = "owner_qlkb", deserialize = "first_part_qmkb"), alias = "owner_qlkb")] first_part_qkkb: Box<f32>, label_qnkb: PathBuf },
    MoveQqkb(f32)
}
sample! { T148 untagged 5 {
    [0] Self::OpenQdkb { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [1] Self::StopQhkb { state_qgkb: f0 (keep), first_part_qekb: f1 (gone_if (at_times) (Default::default())), weight_qfkb: f2 (same) } (keep);
    [2] Self::StopQikb {  } (keep);
    [3] Self::BigStepQpkb { state_qokb: f0 (keep), first_part_qjkb: f1 (keep), first_part_qkkb: f2 (keep), label_qnkb: f3 (keep) } (keep);
    [4] Self::MoveQqkb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qflb", content = "content qflb")]
pub(crate) enum T149 {
    NoteQrkb(T10, Option<()>, f64),
    BigStepQtkb { #[serde(with = "as_text")] state_qskb: u128 },
    BigStepQalb(T113, T137),
    OpenQelb { #[serde(default = "fixed")] depth_qblb: String, #[serde(with = "as_text")] owner_qclb: u64, colour_qdlb: i8 }
}
sample! { T149 plain 4 {
    [0] Self::NoteQrkb { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [1] Self::BigStepQtkb { state_qskb: f0 (same) } (keep);
    [2] Self::BigStepQalb { 0: f0 (keep), 1: f1 (keep) } (keep);
    [3] Self::OpenQelb { depth_qblb: f0 (keep), owner_qclb: f1 (same), colour_qdlb: f2 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T150(f64, #[serde(skip, default = "fixed")] NonZero<i64>);
sample! { T150 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (gone (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct T151 { #[serde(skip, default = "fixed")] angle_qglb: u16, label_qhlb: PathBuf }
sample! { T151 plain 1 { [0] Self { angle_qglb: f0 (gone (fixed())), label_qhlb: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T152 { #[serde(default = "fixed", skip_serializing_if = "at_times")] label_qilb: Vec<BTreeMap<T81, T115>>, angle_qjlb: Cow<'static, str>, #[serde(flatten)] depth_qklb: HashMap<u64, IpAddr> }
sample! { T152 plain 1 { [0] Self { label_qilb: f0 (gone_if (at_times) (fixed())), angle_qjlb: f1 (keep), depth_qklb: f2 (flat) } (keep); } }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T153 {
    StopQllb,
    NoteQmlb
}
sample! { T153 plain 2 {
    [0] Self::StopQllb {  } (keep);
    [1] Self::NoteQmlb {  } (keep);
} }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T154 {
    OpenQnlb,
    NoteQolb,
    MoveQplb,
    StopQqlb
}
sample! { T154 plain 4 {
    [0] Self::OpenQnlb {  } (keep);
    [1] Self::NoteQolb {  } (keep);
    [2] Self::MoveQplb {  } (keep);
    [3] Self::StopQqlb {  } (keep);
} }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "SCREAMING_SNAKE_CASE")]
pub(crate) enum T155 {
    NoteQrlb,
    MoveQslb,
    OpenQtlb
}
sample! { T155 plain 3 {
    [0] Self::NoteQrlb {  } (keep);
    [1] Self::MoveQslb {  } (keep);
    [2] Self::OpenQtlb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T156(String);
sample! { T156 plain 1 { [0] Self { 0: f0 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "snake_case", tag = "kind qfmb", content = "content qfmb")]
pub(crate) enum T157 {
    NoteQamb,
    StopQbmb,
    StopQcmb,
    #[serde(rename = "NoteQemb")] OpenQdmb([String; 3], Duration)
}
sample! { T157 plain 4 {
    [0] Self::NoteQamb {  } (keep);
    [1] Self::StopQbmb {  } (keep);
    [2] Self::StopQcmb {  } (keep);
    [3] Self::OpenQdmb { 0: f0 (keep), 1: f1 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T158 { #[serde(bound = "")] colour_qgmb: Box<u32>, colour_qhmb: HashMap<(usize, char), Option<[String; 3]>>, #[serde(flatten)] label_qimb: Option<T89> }
sample! { T158 plain 1 { [0] Self { colour_qgmb: f0 (keep), colour_qhmb: f1 (keep), label_qimb: f2 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T159 {
    NoteQjmb(T65, Option<HashMap<String, ()>>),
    StopQkmb(String),
    MoveQlmb(char),
    BigStepQrmb { owner_qqmb: bool, label_qmmb: T155, #[serde(rename(serialize = "first_part_qomb", deserialize = "angle_qpmb"), alias = "first_part_qomb")] depth_qnmb: String },
    BigStepQanb { weight_qtmb: i16, depth_qsmb: Option<Vec<PathBuf>> }
}
sample! { T159 untagged 5 {
    [0] Self::NoteQjmb { 0: f0 (keep), 1: f1 (keep) } (keep);
    [1] Self::StopQkmb { 0: f0 (keep) } (keep);
    [2] Self::MoveQlmb { 0: f0 (keep) } (keep);
    [3] Self::BigStepQrmb { owner_qqmb: f0 (keep), label_qmmb: f1 (keep), depth_qnmb: f2 (keep) } (keep);
    [4] Self::BigStepQanb { weight_qtmb: f0 (keep), depth_qsmb: f1 (keep) } (keep);
} }

try_all! { T120 T121 T122 T123 T124 T125 T126 T127 T128 T129 T130 T131 T132 T133 T134 T135 T136 T137 T138 T139 T140 T141 T142 T143 T144 T145 T146 T147 T148 T149 T150 T151 T152 T153 T154 T155 T156 T157 T158 T159 }
