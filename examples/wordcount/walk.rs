//! Finding the files: everything named on the command line, folders with all that is in them. No processes in here.
//!
//! A symbolic link is followed where the user named it and nowhere below, so a loop of links cannot trap the walk and no
//! file is counted twice because of one. What is neither a file nor a folder (sockets, pipes, devices) is passed over.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A path that could not be read, and why. The path travels as `OsString`: names need not be UTF-8.
pub type Problem = (OsString, String);

/// What a walk found.
#[derive(Default)]
pub struct Found {
    pub files: Vec<PathBuf>,
    pub problems: Vec<Problem>,
}

/// Walks over `paths`.
pub fn walk(paths: impl IntoIterator<Item = PathBuf>) -> Found {
    let mut found = Found::default();
    for path in paths {
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => found.folder(path),
            Ok(meta) if meta.is_file() => found.files.push(path),
            Ok(_) => found
                .problems
                .push((path.into(), "neither a file nor a folder".to_string())),
            Err(error) => found.problems.push(problem(&path, &error)),
        }
    }
    found
}

pub fn problem(path: &Path, error: &io::Error) -> Problem {
    (path.as_os_str().to_owned(), error.to_string())
}

impl Found {
    /// Takes everything below `root`. The folders still to do are kept in a list, so depth costs no stack and no
    /// descriptors.
    fn folder(&mut self, root: PathBuf) {
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            match fs::read_dir(&folder) {
                Ok(entries) => {
                    for entry in entries {
                        if let Err(error) = self.entry(entry, &mut folders) {
                            self.problems.push(problem(&folder, &error));
                        }
                    }
                }
                Err(error) => self.problems.push(problem(&folder, &error)),
            }
        }
    }

    fn entry(
        &mut self,
        entry: io::Result<fs::DirEntry>,
        folders: &mut Vec<PathBuf>,
    ) -> io::Result<()> {
        let entry = entry?;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folders.push(entry.path()),
            Ok(kind) if kind.is_file() => self.files.push(entry.path()),
            Ok(_) => {}
            Err(error) => self.problems.push(problem(&entry.path(), &error)),
        }
        Ok(())
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
        let mut found = walk([scratch.0.clone()]);
        found.files.sort();
        assert_eq!(found.files, [odd, scratch.0.join("top")]);
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
        assert_eq!(walk([folder.clone()]).files, [folder.join("file")]);
        assert_eq!(
            walk([scratch.0.join("door")]).files,
            [scratch.0.join("door/file")]
        );
        assert_eq!(walk([folder.join("alias")]).files, [folder.join("alias")]);
    }

    #[test]
    fn what_cannot_be_read_is_a_problem_and_no_more() {
        let found = walk([PathBuf::from("/no/such/file"), PathBuf::from("/dev/null")]);
        assert!(found.files.is_empty());
        assert_eq!(found.problems.len(), 2);
        assert_eq!(found.problems[0].0, "/no/such/file");
    }
}
