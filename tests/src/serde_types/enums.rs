//! Enums in the four ways serde writes them, and those that are keys of maps.

use super::fields::{Allowed, Field};
use super::kinds::{CHAR, INT, Known, MAP, SEQ, STR, UNIT, Want};
use super::structs::{CASES, fates, head, texts, with_fields};
use super::{Made, Maker};

/// A variant: what stands in the type, and what `sample!` is told.
struct Variant {
    text: String,
    fate: String,
    calm: bool,
    fields: Vec<Field>,
}

/// What a variant is made of.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Unit,
    Newtype,
    Tuple,
    Struct,
}

const FORMS: &[Form] = &[Form::Unit, Form::Newtype, Form::Tuple, Form::Struct];

fn wanting(buffered: bool) -> Want {
    Want { buffered, depth: 1 }
}

/// How a variant is declared, behind its attributes.
fn declared(name: &str, form: Form, fields: &[Field]) -> String {
    match form {
        Form::Unit => name.to_owned(),
        Form::Newtype | Form::Tuple => format!("{name}({})", texts(fields)),
        Form::Struct => format!("{name} {{ {} }}", texts(fields)),
    }
}

impl Maker {
    fn inside(&mut self, form: Form, buffered: bool) -> Vec<Field> {
        let want = wanting(buffered);
        let allowed = Allowed {
            want,
            even: false,
            denies: false,
            whole_default: false,
        };
        match form {
            Form::Unit => Vec::new(),
            Form::Newtype => vec![Field::plain(String::new(), self.any(want))],
            Form::Tuple => (0..2 + self.rng.below(2))
                .map(|_| Field::plain(String::new(), self.any(want)))
                .collect(),
            Form::Struct => (0..1 + self.rng.below(3))
                .map(|_| self.field(&allowed))
                .collect(),
        }
    }

    /// A variant of an enum with names for its variants, with a random attribute.
    fn variant(&mut self, form: Form, fields: Vec<Field>) -> Variant {
        let name = self.variant_name();
        let (mut attributes, mut fate, mut calm) = (Vec::new(), "keep".to_owned(), true);
        match self.rng.below(100) {
            50..58 => attributes.push(format!("rename = \"{}\"", self.variant_name())),
            58..63 => attributes.push(format!("alias = \"{}\"", self.variant_name())),
            63..67 => {
                let (out, back) = (self.variant_name(), self.variant_name());
                attributes.push(format!(
                    "rename(serialize = \"{out}\", deserialize = \"{back}\")"
                ));
                if self.rng.percent(70) {
                    attributes.push(format!("alias = \"{out}\""));
                } else {
                    (fate, calm) = (format!("odd Names [\"{out}\", \"{back}\"]"), false);
                }
            }
            67..71 => {
                let attribute = *self.rng.pick(&["skip", "skip_serializing"]);
                attributes.push(attribute.to_owned());
                (fate, calm) = (format!("odd Skipped [\"{name}\"]"), false);
            }
            71..73 => {
                attributes.push("skip_deserializing".to_owned());
                (fate, calm) = (format!("odd NotRead [\"{name}\"]"), false);
            }
            73..80 if form == Form::Struct => {
                attributes.push(format!("rename_all = \"{}\"", self.rng.pick(CASES)));
            }
            _ => {}
        }
        finished(&name, form, fields, &attributes, &fate, calm)
    }

    /// The type, of variants of which the first is always taken.
    fn enumerated(
        &mut self,
        name: &str,
        attributes: &[String],
        mode: &str,
        variants: Vec<Variant>,
    ) -> Made {
        let texts: Vec<&str> = variants.iter().map(|variant| &*variant.text).collect();
        let fates: Vec<String> = variants
            .iter()
            .enumerate()
            .map(|(at, variant)| format!("[{at}] {};", variant.fate))
            .collect();
        let text = format!(
            "{}pub(crate) enum {name} {{\n    {}\n}}\nsample! {{ {name} {mode} {} {{\n    {}\n}} }}\n",
            head(attributes),
            texts.join(",\n    "),
            variants.len(),
            fates.join("\n    ")
        );
        let calm = variants.iter().all(|variant| variant.calm);
        let fields: Vec<Field> = variants
            .into_iter()
            .flat_map(|variant| variant.fields)
            .collect();
        let heavy = with_fields(name, MAP, &fields);
        Made {
            text,
            known: Known {
                calm: calm && heavy.calm,
                weight: heavy.weight.min(24),
                ..heavy
            },
        }
    }

    fn cased(&mut self) -> Vec<String> {
        let mut attributes = Vec::new();
        if self.rng.percent(25) {
            attributes.push(format!("rename_all = \"{}\"", self.rng.pick(CASES)));
        }
        if self.rng.percent(15) {
            attributes.push(format!("rename_all_fields = \"{}\"", self.rng.pick(CASES)));
        }
        attributes
    }

    pub(super) fn key_enum(&mut self, name: &str) -> Made {
        let variants: Vec<Variant> = (0..2 + self.rng.below(4))
            .map(|_| {
                let name = self.variant_name();
                finished(&name, Form::Unit, Vec::new(), &[], "keep", true)
            })
            .collect();
        let attributes = self.cased();
        let made = self.enumerated(name, &attributes, "plain", variants);
        let text = made.text.replacen(
            "Clone, ",
            "Clone, PartialEq, Eq, Hash, PartialOrd, Ord, ",
            1,
        );
        let known = Known {
            key: true,
            accepts: STR | MAP,
            emits: STR,
            ..made.known
        };
        Made { text, known }
    }

    pub(super) fn external(&mut self, name: &str) -> Made {
        let last_untagged = self.rng.percent(15);
        let mut variants: Vec<Variant> = (0..1 + self.rng.below(5))
            .map(|_| {
                let form = *self.rng.pick(FORMS);
                let fields = self.inside(form, last_untagged);
                self.variant(form, fields)
            })
            .collect();
        if last_untagged {
            variants.push(self.untagged_number());
        }
        let attributes = self.cased();
        let mode = if last_untagged { "buffered" } else { "plain" };
        let made = self.enumerated(name, &attributes, mode, variants);
        let mut kinds = STR | MAP;
        if last_untagged {
            kinds |= INT;
        }
        let known = Known {
            accepts: kinds,
            emits: kinds,
            taggable: !last_untagged,
            ..made.known
        };
        Made {
            text: made.text,
            known,
        }
    }

    /// A variant without a name, that looks like none of the others.
    fn untagged_number(&mut self) -> Variant {
        let name = self.variant_name();
        let fields = vec![Field::plain(String::new(), Known::leaf("i64", INT))];
        finished(
            &name,
            Form::Newtype,
            fields,
            &["untagged".to_owned()],
            "keep",
            true,
        )
    }

    pub(super) fn internal(&mut self, name: &str) -> Made {
        let mut variants: Vec<Variant> = Vec::new();
        for _ in 0..1 + self.rng.below(4) {
            match self.rng.below(10) {
                0..2 => variants.push(self.variant(Form::Unit, Vec::new())),
                2..6 => {
                    let fields = self.inside(Form::Struct, true);
                    variants.push(self.variant(Form::Struct, fields));
                }
                6..9 => {
                    let allow_wide = self.rng.percent(5);
                    if let Some(known) =
                        self.earlier(|known| known.taggable && (!known.wide || allow_wide))
                    {
                        let fields = vec![Field::plain(String::new(), known)];
                        variants.push(self.variant(Form::Newtype, fields));
                    }
                }
                _ if self.rng.percent(30) => {
                    // Only maps and structs can hold the tag.
                    let name = self.variant_name();
                    let inner = *self.rng.pick(&["u32", "Vec<u8>", "Option<u8>", "String"]);
                    let fields = vec![Field::plain(String::new(), Known::leaf(inner, INT))];
                    let fate = format!("odd NoMap [\"{name}\"]");
                    variants.push(finished(&name, Form::Newtype, fields, &[], &fate, false));
                }
                _ => {}
            }
        }
        if variants.is_empty() {
            variants.push(self.variant(Form::Unit, Vec::new()));
        }
        let mut attributes = self.cased();
        attributes.push(format!("tag = \"kind {}\"", self.suffix()));
        if self.rng.percent(35) {
            self.with_other(&mut variants);
        }
        let made = self.enumerated(name, &attributes, "buffered", variants);
        let known = Known {
            accepts: MAP | SEQ,
            taggable: true,
            ..made.known
        };
        Made {
            text: made.text,
            known,
        }
    }

    /// A variant that stands for all that are not known, and one that is known to the sender only.
    fn with_other(&mut self, variants: &mut Vec<Variant>) {
        let (new, other) = (self.variant_name(), self.variant_name());
        let mut fields: Vec<Field> = (0..2)
            .map(|_| Field::plain(self.name(), self.any(wanting(true))))
            .collect();
        for field in &mut fields {
            field.fate = "unread (fixed())".to_owned();
        }
        let fate = format!("other (Self::{other})");
        let attribute = ["skip_deserializing".to_owned()];
        variants
            .retain(|variant| !variant.fate.contains("Names") && !variant.fate.contains("NotRead"));
        variants.push(finished(
            &new,
            Form::Struct,
            fields,
            &attribute,
            &fate,
            true,
        ));
        variants.push(finished(
            &other,
            Form::Unit,
            Vec::new(),
            &["other".to_owned()],
            "keep",
            true,
        ));
    }

    pub(super) fn adjacent(&mut self, name: &str) -> Made {
        let mut attributes = self.cased();
        let denies = self.rng.percent(15);
        if denies {
            attributes.push("deny_unknown_fields".to_owned());
        }
        let variants: Vec<Variant> = (0..1 + self.rng.below(4))
            .map(|_| {
                let form = *self.rng.pick(FORMS);
                let mut fields = self.inside(form, false);
                if denies && form == Form::Struct {
                    // What is written and not read would be refused; structs have their own cases
                    // of it.
                    fields.retain(|field| field.even || field.fate.starts_with("odd"));
                }
                let form = if fields.is_empty() { Form::Unit } else { form };
                self.variant(form, fields)
            })
            .collect();
        let suffix = self.suffix();
        attributes.push(format!(
            "tag = \"kind {suffix}\", content = \"content {suffix}\""
        ));
        let made = self.enumerated(name, &attributes, "plain", variants);
        let known = Known {
            accepts: MAP | SEQ,
            taggable: true,
            ..made.known
        };
        Made {
            text: made.text,
            known,
        }
    }

    pub(super) fn untagged(&mut self, name: &str) -> Made {
        let (mut variants, mut accepted, mut emitted) = (Vec::new(), 0, 0);
        for _ in 0..20 {
            if variants.len() >= 5 {
                break;
            }
            let form = *self.rng.pick(FORMS);
            let mut fields = self.inside(form, true);
            if form == Form::Struct {
                let (name, inner) = (self.name(), self.leaf(wanting(true)));
                fields.insert(0, Field::plain(name, inner));
            }
            let (accepts, emits) = match form {
                Form::Unit => (UNIT, UNIT),
                Form::Newtype => (fields[0].known.accepts, fields[0].known.emits),
                Form::Tuple => (SEQ, SEQ),
                Form::Struct => (MAP, MAP),
            };
            // Structs with a field that is theirs alone are told apart; all else by its kind.
            let alone = form == Form::Struct && accepted & MAP == 0;
            if emits & accepted != 0 && !alone || accepts & CHAR != 0 && emitted & STR == 0 {
                continue;
            }
            if form != Form::Struct {
                accepted |= accepts;
            }
            emitted |= emits;
            let variant_name = self.variant_name();
            let keeps = fields.iter().all(|field| field.calm);
            variants.push(finished(&variant_name, form, fields, &[], "keep", keeps));
        }
        // No newtype may read what a struct variant before it was written as: they come last.
        let made = self.enumerated(name, &["untagged".to_owned()], "untagged", variants);
        let known = Known {
            accepts: accepted | emitted | MAP,
            emits: emitted,
            ..made.known
        };
        Made {
            text: made.text,
            known,
        }
    }
}

fn finished(
    name: &str,
    form: Form,
    fields: Vec<Field>,
    attributes: &[String],
    fate: &str,
    calm: bool,
) -> Variant {
    let mut text = String::new();
    if !attributes.is_empty() {
        text.push_str(&format!("#[serde({})] ", attributes.join(", ")));
    }
    text.push_str(&declared(name, form, &fields));
    Variant {
        text,
        fate: format!("Self::{name} {{ {} }} ({fate})", fates(&fields)),
        calm: calm && fields.iter().all(|field| field.calm),
        fields,
    }
}
