//! Structs: named, tuple, newtype, unit, converted, recursive.

use super::fields::{Allowed, Field};
use super::kinds::{Known, MAP, SEQ, UNIT, Want};
use super::{Made, Maker};

pub(super) const CASES: &[&str] = &[
    "lowercase",
    "UPPERCASE",
    "PascalCase",
    "camelCase",
    "snake_case",
    "SCREAMING_SNAKE_CASE",
    "kebab-case",
    "SCREAMING-KEBAB-CASE",
];

const DIRECT: Want = Want {
    buffered: false,
    depth: 0,
};

/// The derives, and serde's attributes in one list.
pub(super) fn head(attributes: &[String]) -> String {
    let mut text = "#[derive(Clone, Debug, Serialize, Deserialize)]\n".to_owned();
    if !attributes.is_empty() {
        text.push_str(&format!("#[serde({})]\n", attributes.join(", ")));
    }
    text
}

/// The fields as `sample!` takes them: `name: binding (fate)`.
pub(super) fn fates(fields: &[Field]) -> String {
    let parts: Vec<String> = fields
        .iter()
        .enumerate()
        .map(|(at, field)| match field.name.is_empty() {
            true => format!("{at}: f{at} ({})", field.fate),
            false => format!("{}: f{at} ({})", field.name, field.fate),
        })
        .collect();
    parts.join(", ")
}

pub(super) fn texts(fields: &[Field]) -> String {
    let parts: Vec<String> = fields.iter().map(Field::text).collect();
    parts.join(", ")
}

/// What is known of a type with such fields.
pub(super) fn with_fields(name: &str, kinds: u16, fields: &[Field]) -> Known {
    let parts: Vec<&Known> = fields.iter().map(|field| &field.known).collect();
    Known {
        calm: fields.iter().all(|field| field.calm),
        ..Known::of(name.to_owned(), kinds, &parts)
    }
}

impl Maker {
    pub(super) fn named_struct(&mut self, name: &str) -> Made {
        let mut attributes = Vec::new();
        let flattens = self.rng.percent(30);
        let denies = !flattens && self.rng.percent(15);
        let whole_default = !flattens && self.rng.percent(12);
        let map_last = flattens && self.rng.percent(40);
        if self.rng.percent(30) {
            attributes.push(format!("rename_all = \"{}\"", self.rng.pick(CASES)));
        }
        if denies {
            attributes.push("deny_unknown_fields".to_owned());
        }
        if whole_default {
            attributes.push("default".to_owned());
        }
        if self.rng.percent(8) {
            attributes.push(format!("rename = \"Other{name}\""));
        }
        let allowed = Allowed {
            want: DIRECT,
            even: map_last,
            denies,
            whole_default,
        };
        let count = 1 + self.rng.below(5);
        let mut fields: Vec<Field> = (0..count).map(|_| self.field(&allowed)).collect();
        if flattens {
            if (!map_last || self.rng.percent(50))
                && let Some(field) = self.flattened(map_last)
            {
                fields.push(field);
            }
            if map_last {
                fields.push(self.flattened_map());
            }
        }
        if flattens {
            // What no field wants goes into serde's buffer, too.
            for field in &mut fields {
                field.fate = field.fate.replacen("written ", "unread ", 1);
            }
        }
        let known = Known {
            accepts: if flattens { MAP } else { MAP | SEQ },
            taggable: true,
            flat: !flattens && !denies && fields.iter().all(|field| field.even),
            firm: fields
                .iter()
                .any(|field| field.firm && field.fate != "flat"),
            ..with_fields(name, MAP, &fields)
        };
        let text = format!(
            "{}pub(crate) struct {name} {{ {} }}\nsample! {{ {name} plain 1 {{ [0] Self {{ {} }} (keep); }} }}\n",
            head(&attributes),
            texts(&fields),
            fates(&fields)
        );
        Made { text, known }
    }

    /// A struct or an enum that is flattened, or an `Option` of a struct.
    fn flattened(&mut self, even: bool) -> Option<Field> {
        let allow_wide = self.rng.percent(5);
        let optional = !even && self.rng.percent(40);
        let known = self.earlier(|known| {
            known.flat
                && (!known.wide || allow_wide && !optional)
                && (!optional || known.firm && known.calm)
        })?;
        let text = match optional {
            true => format!("Option<{}>", known.text),
            false => known.text.clone(),
        };
        Some(Field {
            attributes: vec!["flatten".to_owned()],
            fate: "flat".to_owned(),
            ..Field::plain(self.name(), Known { text, ..known })
        })
    }

    fn flattened_map(&mut self) -> Field {
        let want = Want {
            buffered: true,
            depth: 1,
        };
        let value = self.any(want);
        let key = *self.rng.pick(&["String", "String", "u64"]);
        let kind = *self.rng.pick(&["HashMap", "BTreeMap"]);
        let known = Known {
            weight: 2,
            ..Known::of(format!("{kind}<{key}, {}>", value.text), MAP, &[&value])
        };
        Field {
            attributes: vec!["flatten".to_owned()],
            fate: "flat".to_owned(),
            ..Field::plain(self.name(), known)
        }
    }

    pub(super) fn tuple_struct(&mut self, name: &str) -> Made {
        let count = 2 + self.rng.below(3);
        let mut fields: Vec<Field> = (0..count)
            .map(|_| Field::plain(String::new(), self.any(DIRECT)))
            .collect();
        match self.rng.below(10) {
            // In both directions alike.
            0..3 => {
                let at = self.rng.below(count);
                fields[at]
                    .attributes
                    .push("skip, default = \"fixed\"".to_owned());
                fields[at].fate = "gone (fixed())".to_owned();
            }
            // What may be missing at the end.
            3 | 4 => {
                let last = fields.last_mut().expect("two at the least");
                let attributes = "default = \"fixed\", skip_serializing_if = \"at_times\"";
                last.attributes.push(attributes.to_owned());
                last.fate = "gone_if (at_times) (fixed())".to_owned();
            }
            // In one direction only, which cannot be told from the outside.
            5 => {
                let last = fields.last_mut().expect("two at the least");
                let attribute = *self.rng.pick(&[
                    "skip_serializing",
                    "skip_deserializing, default = \"fixed\"",
                ]);
                last.attributes.push(attribute.to_owned());
                last.fate = format!("odd Count [\"{name}\"]");
                last.calm = false;
            }
            _ => {}
        }
        let text = format!(
            "{}pub(crate) struct {name}({});\nsample! {{ {name} plain 1 {{ [0] Self {{ {} }} (keep); }} }}\n",
            head(&[]),
            texts(&fields),
            fates(&fields)
        );
        let known = with_fields(name, SEQ, &fields);
        Made { text, known }
    }

    pub(super) fn newtype_struct(&mut self, name: &str) -> Made {
        let inner = self.any(DIRECT);
        if self.rng.percent(50) {
            let fields = [Field::plain(String::new(), inner.clone())];
            let text = format!(
                "{}pub(crate) struct {name}({});\nsample! {{ {name} plain 1 {{ [0] Self {{ {} }} (keep); }} }}\n",
                head(&[]),
                texts(&fields),
                fates(&fields)
            );
            let known = Known {
                text: name.to_owned(),
                option: false,
                default: true,
                key: false,
                flat: false,
                ..inner
            };
            return Made { text, known };
        }
        let (first, second) = (self.name(), self.name());
        let text = format!(
            "{}pub(crate) struct {name} {{ #[serde(skip, default = \"fixed\")] {first}: u16, {second}: {} }}\n\
             sample! {{ {name} plain 1 {{ [0] Self {{ {first}: f0 (gone (fixed())), {second}: f1 (keep) }} (keep); }} }}\n",
            head(&["transparent".to_owned()]),
            inner.text
        );
        let known = Known {
            text: name.to_owned(),
            default: true,
            key: false,
            flat: false,
            firm: false,
            // A missing field of a transparent type is asked like what is inside.
            option: inner.option,
            ..inner
        };
        Made { text, known }
    }

    pub(super) fn unit_struct(&mut self, name: &str) -> Made {
        let text = format!(
            "{}pub(crate) struct {name};\nsample! {{ {name} plain 1 {{ [0] Self {{ }} (keep); }} }}\n",
            head(&[])
        );
        let known = Known {
            // Of a map and of a sequence those without elements.
            accepts: UNIT | MAP | SEQ,
            taggable: true,
            ..Known::leaf(name, UNIT)
        };
        Made { text, known }
    }

    /// Written as another type, and read from it.
    pub(super) fn converted(&mut self, name: &str) -> Made {
        let (a, b) = (self.any(DIRECT), self.any(DIRECT));
        let (first, second) = (self.name(), self.name());
        let other = format!("({}, {})", a.text, b.text);
        let tries = self.rng.percent(50);
        let from = if tries { "try_from" } else { "from" };
        let conversion = if tries {
            "converts_at_times"
        } else {
            "converts"
        };
        let text = format!(
            "{}pub(crate) struct {name} {{ {first}: {}, {second}: {} }}\n\
             {conversion}! {{ {name} {other} {first} {second} }}\n\
             sample! {{ {name} plain 1 {{ [0] Self {{ {first}: f0 (keep), {second}: f1 (keep) }} (keep); }} }}\n",
            head(&[format!("{from} = \"{other}\", into = \"{other}\"")]),
            a.text,
            b.text
        );
        let known = Known::of(name.to_owned(), SEQ, &[&a, &b]);
        Made { text, known }
    }

    /// A tree of itself.
    pub(super) fn recursive(&mut self, name: &str) -> Made {
        let value = self.any(DIRECT);
        let (first, second, third) = (self.name(), self.name(), self.name());
        let list = *self.rng.pick(&[
            "#[serde(default, skip_serializing_if = \"Vec::is_empty\")] ",
            "",
            "#[serde(rename = \"below\")] ",
        ]);
        let text = format!(
            "{}pub(crate) struct {name} {{ {first}: {}, {second}: Option<Box<{name}>>, {list}{third}: Vec<{name}> }}\n\
             sample! {{ {name} plain 1 {{ [0] Self {{ {first}: f0 (keep), {second}: f1 (keep), {third}: f2 (keep) }} (keep); }} }}\n",
            head(&[]),
            value.text
        );
        let known = Known {
            accepts: MAP | SEQ,
            taggable: true,
            ..Known::of(name.to_owned(), MAP, &[&value])
        };
        Made { text, known }
    }
}
