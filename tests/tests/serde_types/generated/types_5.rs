// Made by `cargo run -p mp-tests --bin serde_types` (seed 1711); not to be changed by hand.

#[allow(unused_imports)]
use super::*;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T200 { #[serde(rename(serialize = "weight_qqtb", deserialize = "colour_qrtb"), alias = "weight_qqtb")] label_qptb: u128 }
sample! { T200 plain 1 { [0] Self { label_qptb: f0 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T201(Option<f32>, Option<String>, u8);
sample! { T201 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep); } }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE", rename_all_fields = "lowercase")]
pub(crate) enum T202 {
    MoveQstb,
    BigStepQttb,
    MoveQaac
}
sample! { T202 plain 3 {
    [0] Self::MoveQstb {  } (keep);
    [1] Self::BigStepQttb {  } (keep);
    [2] Self::MoveQaac {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct T203 { #[serde(rename(serialize = "weight_qcac", deserialize = "state_qdac"), alias = "weight_qcac")] state_qbac: f32, #[serde(skip_serializing_if = "Option::is_none")] angle_qeac: Option<T139>, weight_qfac: (T56, (T186, bool, u128), Box<BTreeMap<(usize, String), bool>>), #[serde(rename = "colour_qhac")] weight_qgac: i128 }
sample! { T203 plain 1 { [0] Self { state_qbac: f0 (keep), angle_qeac: f1 (keep), weight_qfac: f2 (keep), weight_qgac: f3 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T204 {
    StopQiac([f64; 3]),
    StopQjac(HashMap<u8, NonZero<i64>>),
    OpenQoac(f64),
    StopQtac
}
sample! { T204 untagged 4 {
    [0] Self::StopQiac { 0: f0 (keep) } (keep);
    [1] Self::StopQjac { 0: f0 (keep) } (keep);
    [2] Self::OpenQoac { 0: f0 (keep) } (keep);
    [3] Self::StopQtac {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T205 { owner_qhbc: Vec<(T42, (u64, char), BTreeMap<i8, u128>)>, owner_qibc: HashMap<usize, T40>, #[serde(default)] first_part_qjbc: Vec<char>, state_qkbc: Vec<Option<Vec<i32>>>, first_part_qlbc: T202 }
sample! { T205 plain 1 { [0] Self { owner_qhbc: f0 (keep), owner_qibc: f1 (keep), first_part_qjbc: f2 (keep), state_qkbc: f3 (keep), first_part_qlbc: f4 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T206 {
    MoveQmbc(Duration),
    NoteQdcc,
    BigStepQocc(NonZero<i64>)
}
sample! { T206 untagged 3 {
    [0] Self::MoveQmbc { 0: f0 (keep) } (keep);
    [1] Self::NoteQdcc {  } (keep);
    [2] Self::BigStepQocc { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T207 { #[serde(default = "fixed", skip_serializing_if = "at_times")] colour_qpcc: u128, depth_qqcc: [[u64; 0]; 2], #[serde(rename(serialize = "owner_qscc", deserialize = "first_part_qtcc"))] depth_qrcc: T103, depth_qadc: Vec<T16>, #[serde(flatten)] weight_qbdc: T161 }
sample! { T207 plain 1 { [0] Self { colour_qpcc: f0 (gone_if (at_times) (fixed())), depth_qqcc: f1 (keep), depth_qrcc: f2 (odd Names ["owner_qscc", "first_part_qtcc"]), depth_qadc: f3 (keep), weight_qbdc: f4 (flat) } (keep); } }

try_all! { T200 T201 T202 T203 T204 T205 T206 T207 }
