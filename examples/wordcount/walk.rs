//! Finding the files: everything named on the command line, folders with all that is in them. No processes in here.
//!
//! A symbolic link is followed where the user named it and nowhere below, so a loop of links cannot trap the walk and no
//! file is counted twice because of one. What is neither a file nor a folder (sockets, pipes, devices) is passed over.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A path that could not be read, and why. The path travels as `OsString`: names need not be UTF-8.
pub(crate) type Problem = (OsString, String);

/// A walk: an iterator over the files, which looks into a folder when its turn comes, so that the first files can be
/// counted before the last are found.
pub(crate) struct Walk {
    /// What the user named and the walk has not come to yet.
    named: std::vec::IntoIter<PathBuf>,
    /// Folders still to do: a list, so depth costs no stack and no descriptors.
    folders: Vec<PathBuf>,
    /// The folder the walk is in.
    open: Option<(PathBuf, fs::ReadDir)>,
    /// The files so far.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) problems: Vec<Problem>,
}

/// Walks over `paths`.
pub(crate) fn walk(paths: Vec<PathBuf>) -> Walk {
    Walk {
        named: paths.into_iter(),
        folders: Vec::new(),
        open: None,
        files: Vec::new(),
        problems: Vec::new(),
    }
}

pub(crate) fn problem(path: &Path, error: &io::Error) -> Problem {
    (path.as_os_str().to_owned(), error.to_string())
}

impl Walk {
    /// The next file of the open folder; its folders are put aside.
    fn next_in_folder(&mut self) -> Option<PathBuf> {
        let (folder, entries) = self.open.as_mut()?;
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.problems.push(problem(folder, &error));
                    continue;
                }
            };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.folders.push(entry.path()),
                Ok(kind) if kind.is_file() => return Some(entry.path()),
                Ok(_) => {}
                Err(error) => self.problems.push(problem(&entry.path(), &error)),
            }
        }
        self.open = None;
        None
    }

    /// Opens the next folder there is, or gives the next file that was named.
    fn next_named(&mut self) -> Option<Option<PathBuf>> {
        if let Some(folder) = self.folders.pop() {
            match fs::read_dir(&folder) {
                Ok(entries) => self.open = Some((folder, entries)),
                Err(error) => self.problems.push(problem(&folder, &error)),
            }
            return Some(None);
        }
        let path = self.named.next()?;
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => self.folders.push(path),
            Ok(meta) if meta.is_file() => return Some(Some(path)),
            Ok(_) => self
                .problems
                .push((path.into(), "neither a file nor a folder".to_string())),
            Err(error) => self.problems.push(problem(&path, &error)),
        }
        Some(None)
    }
}

impl Iterator for Walk {
    type Item = PathBuf;

    fn next(&mut self) -> Option<PathBuf> {
        let file = loop {
            if let Some(file) = self.next_in_folder() {
                break file;
            }
            if let Some(file) = self.next_named()? {
                break file;
            }
        };
        self.files.push(file.clone());
        Some(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::symlink;

    /// A folder of its own for one test, removed with everything in it.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("wordcount-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn walks_folders_and_takes_odd_names() {
        let scratch = Scratch::new("names");
        let deep = scratch.0.join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        let odd = deep.join(OsString::from_vec(b"not \xff utf8".to_vec()));
        fs::write(&odd, "x").unwrap();
        fs::write(scratch.0.join("top"), "x").unwrap();
        let mut found = walk(vec![scratch.0.clone()]);
        let mut files: Vec<_> = found.by_ref().collect();
        files.sort();
        assert_eq!(files, [odd, scratch.0.join("top")]);
        assert_eq!(found.problems, []);
    }

    #[test]
    fn links_are_followed_only_where_they_are_named() {
        let scratch = Scratch::new("links");
        let folder = scratch.0.join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), "x").unwrap();
        symlink(&folder, folder.join("loop")).unwrap();
        symlink(folder.join("file"), folder.join("alias")).unwrap();
        symlink(&folder, scratch.0.join("door")).unwrap();
        let files = |path: PathBuf| walk(vec![path]).collect::<Vec<_>>();
        assert_eq!(files(folder.clone()), [folder.join("file")]);
        assert_eq!(files(scratch.0.join("door")), [scratch.0.join("door/file")]);
        assert_eq!(files(folder.join("alias")), [folder.join("alias")]);
    }

    #[test]
    fn what_cannot_be_read_is_a_problem_and_no_more() {
        let paths = ["/no/such/file", "/dev/null"].map(PathBuf::from);
        let mut found = walk(paths.to_vec());
        assert_eq!(found.next(), None);
        assert_eq!(found.problems.len(), 2);
        assert_eq!(found.problems[0].0, "/no/such/file");
    }
}
