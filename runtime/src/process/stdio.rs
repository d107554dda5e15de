//! What a child's standard streams are.

use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::OwnedFd;

use crate::error::{Error, Result};

/// One of a child's standard streams: the parent's, none, a pipe, or any descriptor.
#[derive(Debug)]
pub struct Stdio(Kind);

#[derive(Debug)]
enum Kind {
    Inherit,
    Null,
    Piped,
    Descriptor(OwnedFd),
}

impl Stdio {
    /// The parent's own stream; the default.
    pub fn inherit() -> Self {
        Stdio(Kind::Inherit)
    }

    /// `/dev/null`: reads end at once, writes vanish.
    pub fn null() -> Self {
        Stdio(Kind::Null)
    }

    /// A pipe whose other end is in the [`Child`](crate::Child). Somebody must read it: a full pipe stops the child.
    pub fn piped() -> Self {
        Stdio(Kind::Piped)
    }

    pub(super) fn resolve_input(self, other: &mut Option<PipeWriter>) -> Result<Option<OwnedFd>> {
        self.resolve(|(reader, writer)| {
            *other = Some(writer);
            reader.into()
        })
    }

    pub(super) fn resolve_output(self, other: &mut Option<PipeReader>) -> Result<Option<OwnedFd>> {
        self.resolve(|(reader, writer)| {
            *other = Some(reader);
            writer.into()
        })
    }

    fn resolve(
        self,
        split: impl FnOnce((PipeReader, PipeWriter)) -> OwnedFd,
    ) -> Result<Option<OwnedFd>> {
        match self.0 {
            Kind::Inherit => Ok(None),
            Kind::Descriptor(descriptor) => Ok(Some(descriptor)),
            Kind::Null => {
                let null = File::options().read(true).write(true).open("/dev/null");
                null.map(|file| Some(file.into()))
                    .map_err(|cause| Error::system("cannot open /dev/null", cause))
            }
            Kind::Piped => {
                let pipe = std::io::pipe().map_err(|cause| {
                    Error::system("cannot make a pipe for a child's stream", cause)
                })?;
                Ok(Some(split(pipe)))
            }
        }
    }
}

impl From<OwnedFd> for Stdio {
    fn from(descriptor: OwnedFd) -> Self {
        Stdio(Kind::Descriptor(descriptor))
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Stdio(Kind::Descriptor(file.into()))
    }
}

impl From<PipeReader> for Stdio {
    fn from(pipe: PipeReader) -> Self {
        Stdio(Kind::Descriptor(pipe.into()))
    }
}

impl From<PipeWriter> for Stdio {
    fn from(pipe: PipeWriter) -> Self {
        Stdio(Kind::Descriptor(pipe.into()))
    }
}

/// The parent's ends of the pipes that were asked for.
#[derive(Default)]
pub(super) struct Pipes {
    pub(super) stdin: Option<PipeWriter>,
    pub(super) stdout: Option<PipeReader>,
    pub(super) stderr: Option<PipeReader>,
}
