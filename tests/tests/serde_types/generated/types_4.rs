// Made by `cargo run -p mp-tests --bin serde_types` (seed 1711); not to be changed by hand.

#[allow(unused_imports)]
use super::*;

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T160 {
    BigStepQbnb,
    OpenQcnb,
    NoteQdnb,
    StopQenb
}
sample! { T160 plain 4 {
    [0] Self::BigStepQbnb {  } (keep);
    [1] Self::OpenQcnb {  } (keep);
    [2] Self::NoteQdnb {  } (keep);
    [3] Self::StopQenb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename = "OtherT161")]
pub(crate) struct T161 { owner_qfnb: String, owner_qgnb: T7, #[serde(default = "fixed", skip_serializing_if = "at_times")] angle_qhnb: Vec<Vec<Box<i64>>> }
sample! { T161 plain 1 { [0] Self { owner_qfnb: f0 (keep), owner_qgnb: f1 (keep), angle_qhnb: f2 (gone_if (at_times) (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind qonb", content = "content qonb")]
pub(crate) enum T162 {
    MoveQinb(T137, char, Option<Box<i16>>),
    MoveQmnb { weight_qjnb: (i128, Box<Cow<'static, str>>), owner_qknb: Option<u64>, #[serde(skip_serializing, default)] angle_qlnb: Option<Option<u128>> },
    MoveQnnb
}
sample! { T162 plain 3 {
    [0] Self::MoveQinb { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
    [1] Self::MoveQmnb { weight_qjnb: f0 (keep), owner_qknb: f1 (keep), angle_qlnb: f2 (gone (Default::default())) } (keep);
    [2] Self::MoveQnnb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T163 {
    OpenQpnb((i16, Option<char>, BTreeMap<usize, Duration>), u128, bool)
}
sample! { T163 plain 1 {
    [0] Self::OpenQpnb { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep);
} }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "UPPERCASE")]
pub(crate) enum T164 {
    OpenQqnb,
    BigStepQrnb
}
sample! { T164 plain 2 {
    [0] Self::OpenQqnb {  } (keep);
    [1] Self::BigStepQrnb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct T165 { #[serde(skip, default = "fixed")] depth_qsnb: u16, colour_qtnb: T29 }
sample! { T165 plain 1 { [0] Self { depth_qsnb: f0 (gone (fixed())), colour_qtnb: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T166 { colour_qaob: T150, state_qbob: Option<Box<T166>>, #[serde(default, skip_serializing_if = "Vec::is_empty")] colour_qcob: Vec<T166> }
sample! { T166 plain 1 { [0] Self { colour_qaob: f0 (keep), state_qbob: f1 (keep), colour_qcob: f2 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct T167 { #[serde(skip, default)] label_qdob: Vec<Option<u16>>, label_qeob: T15, #[serde(with = "as_bytes")] label_qfob: Vec<u8> }
sample! { T167 plain 1 { [0] Self { label_qdob: f0 (gone (Default::default())), label_qeob: f1 (keep), label_qfob: f2 (same) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct T168 { owner_qgob: Vec<T145> }
sample! { T168 plain 1 { [0] Self { owner_qgob: f0 (keep) } (keep); } }

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum T169 {
    NoteQhob,
    NoteQiob,
    NoteQjob,
    NoteQkob
}
sample! { T169 plain 4 {
    [0] Self::NoteQhob {  } (keep);
    [1] Self::NoteQiob {  } (keep);
    [2] Self::NoteQjob {  } (keep);
    [3] Self::NoteQkob {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "SCREAMING_SNAKE_CASE", tag = "kind qmob", content = "content qmob")]
pub(crate) enum T170 {
    OpenQlob(Box<HashMap<char, i64>>)
}
sample! { T170 plain 1 {
    [0] Self::OpenQlob { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) struct T171 { #[serde(skip_serializing, default)] state_qnob: T139, weight_qoob: T17, #[serde(default = "fixed", skip_serializing_if = "at_times")] owner_qpob: T55 }
sample! { T171 plain 1 { [0] Self { state_qnob: f0 (gone (Default::default())), weight_qoob: f1 (keep), owner_qpob: f2 (gone_if (at_times) (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T172 { #[serde(with = "as_text")] owner_qqob: u128, #[serde(skip, default)] state_qrob: Option<Option<usize>>, #[serde(default, skip_serializing_if = "at_times")] first_part_qsob: i128 }
sample! { T172 plain 1 { [0] Self { owner_qqob: f0 (same), state_qrob: f1 (gone (Default::default())), first_part_qsob: f2 (gone_if (at_times) (Default::default())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T173 { #[serde(skip_serializing, default = "fixed")] label_qtob: T129 }
sample! { T173 plain 1 { [0] Self { label_qtob: f0 (gone (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T174(Vec<T57>, #[serde(skip_serializing)] f32);
sample! { T174 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (odd Count ["T174"]) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum T175 {
    #[serde(rename(serialize = "OpenQcpb", deserialize = "OpenQdpb"), alias = "OpenQcpb")] BigStepQbpb { depth_qapb: T40 },
    StopQepb(T18)
}
sample! { T175 plain 2 {
    [0] Self::BigStepQbpb { depth_qapb: f0 (keep) } (keep);
    [1] Self::StopQepb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T176 { label_qfpb: Option<T51>, #[serde(rename = "weight_qhpb")] owner_qgpb: char }
sample! { T176 plain 1 { [0] Self { label_qfpb: f0 (keep), owner_qgpb: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T177 { #[serde(bound = "")] colour_qipb: Box<u32> }
sample! { T177 plain 1 { [0] Self { colour_qipb: f0 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T178(T103);
sample! { T178 plain 1 { [0] Self { 0: f0 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct T179 { #[serde(skip, default = "fixed")] first_part_qjpb: u16, first_part_qkpb: i128 }
sample! { T179 plain 1 { [0] Self { first_part_qjpb: f0 (gone (fixed())), first_part_qkpb: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T180 {
    MoveQlpb(f64, u16),
    OpenQmpb,
    MoveQqpb { state_qppb: u128, #[serde(serialize_with = "as_i64")] state_qnpb: u16, #[serde(skip, default = "fixed")] label_qopb: T41 },
    OpenQtpb { weight_qspb: i64, #[serde(default = "fixed")] owner_qrpb: Option<Vec<u32>> },
    OpenQaqb(BTreeMap<String, T165>)
}
sample! { T180 untagged 5 {
    [0] Self::MoveQlpb { 0: f0 (keep), 1: f1 (keep) } (keep);
    [1] Self::OpenQmpb {  } (keep);
    [2] Self::MoveQqpb { state_qppb: f0 (keep), state_qnpb: f1 (keep), label_qopb: f2 (gone (fixed())) } (keep);
    [3] Self::OpenQtpb { weight_qspb: f0 (keep), owner_qrpb: f1 (keep) } (keep);
    [4] Self::OpenQaqb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T181 { colour_qbqb: T121, state_qcqb: Duration }
sample! { T181 plain 1 { [0] Self { colour_qbqb: f0 (keep), state_qcqb: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T182 { #[serde(skip, default = "fixed")] owner_qdqb: [[[i16; 3]; 0]; 0], #[serde(with = "as_text")] colour_qeqb: u64 }
sample! { T182 plain 1 { [0] Self { owner_qdqb: f0 (gone (fixed())), colour_qeqb: f1 (same) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct T183 { #[serde(default)] weight_qfqb: Vec<u64> }
sample! { T183 plain 1 { [0] Self { weight_qfqb: f0 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T184 { state_qgqb: u128, depth_qhqb: Cow<'static, str> }
sample! { T184 plain 1 { [0] Self { state_qgqb: f0 (keep), depth_qhqb: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T185 { #[serde(default)] owner_qiqb: PathBuf, #[serde(flatten)] owner_qjqb: T89, #[serde(flatten)] depth_qkqb: BTreeMap<u64, [i16; 2]> }
sample! { T185 plain 1 { [0] Self { owner_qiqb: f0 (keep), owner_qjqb: f1 (flat), depth_qkqb: f2 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct T186 { #[serde(skip, default = "fixed")] angle_qlqb: u16, weight_qmqb: T6 }
sample! { T186 plain 1 { [0] Self { angle_qlqb: f0 (gone (fixed())), weight_qmqb: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) struct T187 { #[serde(default = "fixed", skip_serializing_if = "at_times")] first_part_qnqb: Vec<Duration>, colour_qoqb: () }
sample! { T187 plain 1 { [0] Self { first_part_qnqb: f0 (gone_if (at_times) (fixed())), colour_qoqb: f1 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub(crate) struct T188 { label_qpqb: bool, first_part_qqqb: Option<Vec<isize>>, state_qrqb: [(); 2] }
sample! { T188 plain 1 { [0] Self { label_qpqb: f0 (keep), first_part_qqqb: f1 (keep), state_qrqb: f2 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T189 { first_part_qsqb: Box<Option<Cow<'static, str>>> }
sample! { T189 plain 1 { [0] Self { first_part_qsqb: f0 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "lowercase")]
pub(crate) enum T190 {
    MoveQtqb,
    #[serde(rename = "MoveQerb")] NoteQdrb { #[serde(default = "fixed", skip_serializing_if = "at_times")] angle_qarb: [i128; 1], owner_qbrb: u8, weight_qcrb: bool },
    OpenQfrb(Vec<char>),
    #[serde(rename = "StopQhrb")] MoveQgrb(Option<u128>),
    NoteQirb
}
sample! { T190 plain 5 {
    [0] Self::MoveQtqb {  } (keep);
    [1] Self::NoteQdrb { angle_qarb: f0 (gone_if (at_times) (fixed())), owner_qbrb: f1 (keep), weight_qcrb: f2 (keep) } (keep);
    [2] Self::OpenQfrb { 0: f0 (keep) } (keep);
    [3] Self::MoveQgrb { 0: f0 (keep) } (keep);
    [4] Self::NoteQirb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", rename_all_fields = "snake_case", tag = "kind qkrb", content = "content qkrb")]
pub(crate) enum T191 {
    #[serde(skip_serializing)] BigStepQjrb(Vec<(Duration, Duration, char)>)
}
sample! { T191 plain 1 {
    [0] Self::BigStepQjrb { 0: f0 (keep) } (odd Skipped ["BigStepQjrb"]);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE", tag = "kind qprb")]
pub(crate) enum T192 {
    #[serde(rename = "BigStepQnrb")] NoteQmrb { depth_qlrb: Option<Cow<'static, str>> },
    MoveQorb(T79),
    #[serde(skip_deserializing)] StopQqrb { first_part_qsrb: Box<()>, state_qtrb: Option<String> },
    #[serde(other)] BigStepQrrb
}
sample! { T192 buffered 4 {
    [0] Self::NoteQmrb { depth_qlrb: f0 (keep) } (keep);
    [1] Self::MoveQorb { 0: f0 (keep) } (keep);
    [2] Self::StopQqrb { first_part_qsrb: f0 (unread (fixed())), state_qtrb: f1 (unread (fixed())) } (other (Self::BigStepQrrb));
    [3] Self::BigStepQrrb {  } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T193(T144, String, Option<T153>);
sample! { T193 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (keep), 2: f2 (keep) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T194([[u8; 0]; 2], #[serde(skip_serializing)] T187);
sample! { T194 plain 1 { [0] Self { 0: f0 (keep), 1: f1 (odd Count ["T194"]) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T195 { colour_qasb: f32, #[serde(with = "as_bytes")] first_part_qbsb: Vec<u8>, first_part_qcsb: f32, #[serde(default = "fixed", skip_serializing_if = "at_times")] angle_qdsb: Box<[Option<char>; 3]> }
sample! { T195 plain 1 { [0] Self { colour_qasb: f0 (keep), first_part_qbsb: f1 (same), first_part_qcsb: f2 (keep), angle_qdsb: f3 (gone_if (at_times) (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) struct T196 { #[serde(skip_deserializing, default)] colour_qesb: T164, #[serde(skip_serializing, default = "fixed")] depth_qfsb: Duration }
sample! { T196 plain 1 { [0] Self { colour_qesb: f0 (written (Default::default())), depth_qfsb: f1 (gone (fixed())) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum T197 {
    NoteQgsb((T97, String, Vec<char>)),
    NoteQksb { depth_qjsb: String, #[serde(skip_deserializing, default = "fixed")] state_qhsb: Option<BTreeMap<String, f64>>, #[serde(serialize_with = "plus_one", deserialize_with = "minus_one")] label_qisb: i32 },
    MoveQosb { state_qnsb: i8, #[serde(skip_serializing)] state_qlsb: T21, #[serde(default = "fixed")] weight_qmsb: Option<Option<u64>> },
    BigStepQctb { first_part_qbtb: u64, #[serde(rename(serialize = "colour_qqsb", deserialize = "label_qrsb"), alias = "colour_qqsb")] colour_qpsb: String, #[serde(rename(serialize = "colour_qtsb", deserialize = "owner_qatb"), default)] angle_qssb: bool },
    StopQdtb(u64)
}
sample! { T197 untagged 5 {
    [0] Self::NoteQgsb { 0: f0 (keep) } (keep);
    [1] Self::NoteQksb { depth_qjsb: f0 (keep), state_qhsb: f1 (written (fixed())), label_qisb: f2 (same) } (keep);
    [2] Self::MoveQosb { state_qnsb: f0 (keep), state_qlsb: f1 (odd Missing ["state_qlsb"]), weight_qmsb: f2 (keep) } (keep);
    [3] Self::BigStepQctb { first_part_qbtb: f0 (keep), colour_qpsb: f1 (keep), angle_qssb: f2 (written (Default::default())) } (keep);
    [4] Self::StopQdtb { 0: f0 (keep) } (keep);
} }

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct T198 { owner_qetb: Option<u32>, label_qftb: String, state_qgtb: Option<u64>, #[serde(skip, default = "fixed")] state_qhtb: PathBuf, #[serde(flatten)] depth_qitb: T161 }
sample! { T198 plain 1 { [0] Self { owner_qetb: f0 (keep), label_qftb: f1 (keep), state_qgtb: f2 (keep), state_qhtb: f3 (gone (fixed())), depth_qitb: f4 (flat) } (keep); } }

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all_fields = "kebab-case")]
pub(crate) enum T199 {
    OpenQjtb(Option<Option<i64>>),
    BigStepQmtb { weight_qktb: Vec<[i16; 1]>, #[serde(default = "fixed", skip_serializing_if = "at_times")] depth_qltb: i64 },
    #[serde(rename = "MoveQotb")] NoteQntb(u8)
}
sample! { T199 plain 3 {
    [0] Self::OpenQjtb { 0: f0 (keep) } (keep);
    [1] Self::BigStepQmtb { weight_qktb: f0 (keep), depth_qltb: f1 (gone_if (at_times) (fixed())) } (keep);
    [2] Self::NoteQntb { 0: f0 (keep) } (keep);
} }

try_all! { T160 T161 T162 T163 T164 T165 T166 T167 T168 T169 T170 T171 T172 T173 T174 T175 T176 T177 T178 T179 T180 T181 T182 T183 T184 T185 T186 T187 T188 T189 T190 T191 T192 T193 T194 T195 T196 T197 T198 T199 }
