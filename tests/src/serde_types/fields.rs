//! Fields: their attributes, and what becomes of their values.

use super::Maker;
use super::kinds::{INT, Known, Want};

/// A field of a struct or of a variant.
pub(super) struct Field {
    /// Empty in a tuple.
    pub(super) name: String,
    pub(super) attributes: Vec<String>,
    pub(super) known: Known,
    /// What arrives, in the words of `sample!`.
    pub(super) fate: String,
    /// Whether it is always written, and always wanted.
    pub(super) firm: bool,
    /// Whether a value of it always arrives.
    pub(super) calm: bool,
    /// Whether it is written under its name exactly where it is read.
    pub(super) even: bool,
}

/// What a container allows in its fields.
#[derive(Clone)]
pub(super) struct Allowed {
    pub(super) want: Want,
    /// Not one name that is written and not read, since a flattened map would take it; nor one that
    /// is missing.
    pub(super) even: bool,
    /// `deny_unknown_fields`.
    pub(super) denies: bool,
    /// The container has a `default`: what is missing comes from there.
    pub(super) whole_default: bool,
}

impl Field {
    pub(super) fn plain(name: String, known: Known) -> Self {
        Field {
            name,
            attributes: Vec::new(),
            firm: !known.option,
            calm: known.calm,
            known,
            fate: "keep".to_owned(),
            even: true,
        }
    }

    fn with(mut self, attribute: impl Into<String>, fate: impl Into<String>) -> Self {
        self.attributes.push(attribute.into());
        self.fate = fate.into();
        self
    }

    /// The source of the field.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if !self.attributes.is_empty() {
            text.push_str(&format!("#[serde({})] ", self.attributes.join(", ")));
        }
        if !self.name.is_empty() {
            text.push_str(&format!("{}: ", self.name));
        }
        text + &self.known.text
    }
}

impl Maker {
    /// A field with a random attribute, or none.
    pub(super) fn field(&mut self, allowed: &Allowed) -> Field {
        let (name, known) = (self.name(), self.any(allowed.want));
        let field = Field::plain(name, known);
        let (default, value) = self.default_of(&field, allowed.whole_default);
        match self.rng.below(100) {
            40..46 => {
                let other = self.name();
                field.with(format!("rename = \"{other}\""), "keep")
            }
            46..50 => {
                let other = self.name();
                field.with(format!("alias = \"{other}\""), "keep")
            }
            50..54 => Field {
                firm: false,
                ..field.with(default, "keep")
            },
            54..60 if !allowed.even => self.asymmetric(field, &default, &value, allowed),
            60..66 => {
                let skip = format!("skip, {default}");
                gone(field.with(skip, format!("gone {value}")), true)
            }
            66..72 => self.not_written(field, &default, &value, allowed),
            72..78 if !allowed.even => {
                let attribute = format!("skip_deserializing, {default}");
                let name = field.name.clone();
                if !allowed.denies {
                    gone(field.with(attribute, format!("written {value}")), false)
                } else if self.rng.percent(60) {
                    let fate = format!("odd Unknown [\"{name}\"]");
                    Field {
                        calm: false,
                        ..gone(field.with(attribute, fate), false)
                    }
                } else {
                    field
                }
            }
            78..90 => self.at_times(field, &default, &value, allowed),
            90.. => self.by_functions(field),
            _ => field,
        }
    }

    /// An attribute for what a missing field becomes, and that value.
    fn default_of(&mut self, field: &Field, whole: bool) -> (String, String) {
        if whole {
            // The field's own default is stronger than its container's.
            if self.rng.percent(50) {
                return ("default = \"fixed\"".into(), "(fixed())".into());
            }
            let value = format!("(Self::default().{})", field.name);
            return ("bound = \"\"".into(), value);
        }
        if field.known.default && self.rng.percent(50) {
            ("default".into(), "(Default::default())".into())
        } else {
            ("default = \"fixed\"".into(), "(fixed())".into())
        }
    }

    /// Other names for the two directions.
    fn asymmetric(&mut self, field: Field, default: &str, value: &str, allowed: &Allowed) -> Field {
        let (out, back) = (self.name(), self.name());
        let names = format!("rename(serialize = \"{out}\", deserialize = \"{back}\")");
        match self.rng.below(10) {
            0..5 => field.with(format!("{names}, alias = \"{out}\""), "keep"),
            5..9 if !allowed.denies => {
                let attributes = format!("{names}, {default}");
                gone(field.with(attributes, format!("written {value}")), false)
            }
            9 if !allowed.whole_default && !field.known.option && self.rng.percent(60) => {
                let fate = format!("odd Names [\"{out}\", \"{back}\"]");
                Field {
                    calm: false,
                    ..gone(field.with(names, fate), false)
                }
            }
            _ => field,
        }
    }

    /// `skip_serializing`.
    fn not_written(
        &mut self,
        field: Field,
        default: &str,
        value: &str,
        allowed: &Allowed,
    ) -> Field {
        let name = field.name.clone();
        if field.known.option && !allowed.whole_default && self.rng.percent(50) {
            return gone(field.with("skip_serializing", "gone (None)"), true);
        }
        if !field.known.option && !allowed.whole_default && !allowed.even && self.rng.percent(10) {
            let fate = format!("odd Missing [\"{name}\"]");
            return Field {
                calm: false,
                ..gone(field.with("skip_serializing", fate), false)
            };
        }
        let attributes = format!("skip_serializing, {default}");
        gone(field.with(attributes, format!("gone {value}")), true)
    }

    /// `skip_serializing_if`.
    fn at_times(&mut self, field: Field, default: &str, value: &str, allowed: &Allowed) -> Field {
        let name = field.name.clone();
        if field.known.option && !allowed.whole_default {
            let attribute = "skip_serializing_if = \"Option::is_none\"";
            let attributes = match self.rng.percent(50) {
                true => format!("default, {attribute}"),
                false => attribute.to_owned(),
            };
            return gone(field.with(attributes, "keep"), true);
        }
        let attribute = "skip_serializing_if = \"at_times\"";
        if !allowed.whole_default && !field.known.option && !allowed.even && self.rng.percent(8) {
            let fate = format!("lost_if (at_times) Missing [\"{name}\"]");
            return Field {
                calm: false,
                ..gone(field.with(attribute, fate), false)
            };
        }
        let attributes = format!("{default}, {attribute}");
        gone(
            field.with(attributes, format!("gone_if (at_times) {value}")),
            true,
        )
    }

    /// `with` and its halves.
    fn by_functions(&mut self, field: Field) -> Field {
        let (text, attribute, fate) = *self.rng.pick(&[
            ("u64", "with = \"as_text\"", "same"),
            ("u128", "with = \"as_text\"", "same"),
            ("Vec<u8>", "with = \"as_bytes\"", "same"),
            ("Vec<u8>", "with = \"as_bytes\"", "same"),
            ("u16", "serialize_with = \"as_i64\"", "keep"),
            (
                "i32",
                "serialize_with = \"plus_one\", deserialize_with = \"minus_one\"",
                "same",
            ),
            ("u32", "deserialize_with = \"by_any\"", "same"),
            ("Box<u32>", "bound = \"\"", "keep"),
        ]);
        let known = Known::leaf(text, INT);
        Field {
            name: field.name,
            ..Field::plain(String::new(), known).with(attribute, fate)
        }
    }
}

/// A field that is not always there.
fn gone(field: Field, even: bool) -> Field {
    Field {
        firm: false,
        even,
        ..field
    }
}
