#![allow(unsafe_code)]
//! What program this is: privileges, constructors, standard descriptors, limits, names.

use std::ffi::{CStr, OsString, c_char, c_int, c_void};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the kernel runs this program with more rights than its caller has (set-user-id and the like).
pub(crate) fn is_privileged() -> bool {
    // SAFETY: no pointers.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether this code stands in the executable itself, and not in a library that another program has loaded: only then does
/// executing `/proc/self/exe` lead back here.
pub(crate) fn is_in_executable() -> bool {
    extern "C" fn first(info: *mut libc::dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
        // SAFETY: the loader gives a valid description of the first object, the executable, and `found` is our bool.
        unsafe {
            let here = is_in_executable as *const () as usize;
            let info = &*info;
            let inside = (0..info.dlpi_phnum as usize)
                .map(|index| &*info.dlpi_phdr.add(index))
                .any(|header| {
                    let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
                    header.p_type == libc::PT_LOAD
                        && here.wrapping_sub(start) < header.p_memsz as usize
                });
            *found.cast::<bool>() = inside;
        }
        1
    }
    let mut found = false;
    // SAFETY: the callback gets our bool and no more.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut found).cast()) };
    found
}

/// A constructor, as the C runtime calls it.
pub(crate) type Constructor = extern "C" fn(c_int, *const *const c_char, *const *const c_char);

/// Calls the constructors of the executable that stand behind `own`: what they register would be missing otherwise.
pub(crate) fn run_constructors_behind(
    own: Constructor,
    argc: c_int,
    argv: *const *const c_char,
    envp: *const *const c_char,
) {
    unsafe extern "C" {
        #[link_name = "__init_array_start"]
        static START: [usize; 0];
        #[link_name = "__init_array_end"]
        static END: [usize; 0];
    }
    let mut entry = (&raw const START).cast::<usize>();
    let end = (&raw const END).cast::<usize>();
    let mut behind = false;
    while entry < end {
        // SAFETY: the linker lays the table out between the two symbols; 0 and -1 are fillers.
        let address = unsafe { entry.read() };
        if behind && address != 0 && address != usize::MAX {
            // SAFETY: every entry is a constructor with this signature.
            let constructor: Constructor =
                unsafe { std::mem::transmute::<usize, Constructor>(address) };
            constructor(argc, argv, envp);
        }
        behind |= address == own as usize;
        // SAFETY: still inside the table or at its end.
        entry = unsafe { entry.add(1) };
    }
}

/// Opens `/dev/null` on the standard descriptors that are closed, so that no file of ours is ever taken for one.
pub(crate) fn fill_standard_descriptors() -> io::Result<()> {
    for fd in 0..=2 {
        // SAFETY: fcntl and open with a literal path.
        unsafe {
            if libc::fcntl(fd, libc::F_GETFD) < 0
                && libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) < 0
            {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

/// The name `ps` and `top` show.
pub(crate) fn set_thread_name(name: &CStr) {
    // SAFETY: a C string; the kernel takes its first 15 bytes.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, name.as_ptr());
    }
}

/// Keeps core files small: `bytes` at the most, less where it was less.
pub(crate) fn limit_core(bytes: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_CORE) {
        let _ = setrlimit(Resource::RLIMIT_CORE, soft.min(bytes), hard);
    }
}

/// Lets the allocator of a worker keep its large blocks, so that repeated large results find warm memory; capped.
pub(crate) fn keep_large_allocations() {
    #[cfg(target_env = "gnu")]
    // SAFETY: plain settings of malloc.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 20);
    }
}

/// The environment and arguments, as the C runtime has them before `std` starts.
pub(crate) fn find_in_environment(
    envp: *const *const c_char,
    name: &[u8],
) -> Option<&'static [u8]> {
    if envp.is_null() {
        return None;
    }
    let mut entry = envp;
    loop {
        // SAFETY: the environment is a list of C strings that ends with null and lives as long as the process.
        let text = unsafe {
            if (*entry).is_null() {
                return None;
            }
            CStr::from_ptr(*entry).to_bytes()
        };
        if let Some(value) = text
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(b"="))
        {
            return Some(value);
        }
        // SAFETY: not at the end yet.
        entry = unsafe { entry.add(1) };
    }
}

/// The environment of this very moment, for the constructor on C libraries that pass none.
pub(crate) fn environment() -> *const *const c_char {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: read once, before any thread can change it.
    unsafe { environ }
}

/// Takes a variable out of the environment; only while this is the one thread there is.
pub(crate) fn remove_variable(name: &str) {
    // SAFETY: called by the entry of a child, before any other thread is started.
    unsafe { std::env::remove_var(name) };
}

/// Makes these the variables of the environment; only while this is the one thread there is. Each has a name that is not
/// empty and holds no `=`, and no NUL.
pub(crate) fn set_environment(to: &[(OsString, OsString)]) {
    for (name, _) in std::env::vars_os() {
        if to.iter().all(|(wanted, _)| *wanted != name) {
            // SAFETY: the caller's promise: there is no other thread that could read meanwhile.
            unsafe { std::env::remove_var(name) };
        }
    }
    for (name, value) in to {
        if std::env::var_os(name).as_ref() != Some(value) {
            // SAFETY: as above.
            unsafe { std::env::set_var(name, value) };
        }
    }
}

/// Writes out what stands in the buffers of the standard streams, Rust's and C's: a copy of this process would write it
/// again.
pub(crate) fn flush_streams() {
    use std::io::Write;
    let _ = std::io::stdout().flush();
    // SAFETY: null means all of C's streams.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

/// The names of this process's threads; those that are just ending count.
pub(crate) fn thread_names() -> io::Result<Vec<String>> {
    let threads = std::fs::read_dir("/proc/self/task")?.flatten();
    let name = |path: std::path::PathBuf| {
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        name.trim_end().to_owned()
    };
    Ok(threads.map(|thread| name(thread.path())).collect())
}

/// Ends this process: no destructor, no handler runs.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: nothing that is left undone here is seen by anybody else.
    unsafe { libc::_exit(code) }
}

/// Whether this process is a copy, whose end is shorter.
static IS_COPY: AtomicBool = AtomicBool::new(false);

/// Says that this process is a copy that its fork server made. Its end is then that of any process as far as its own hooks go
/// (`atexit`), and the streams that they have written to; but what libraries are to do when the *program* ends is left to the
/// program: it takes longer than all the rest, for the pages that it touches.
pub(crate) fn end_as_copy() {
    IS_COPY.store(true, Ordering::Relaxed);
}

#[cfg(target_env = "gnu")]
mod floor {
    use super::{AtomicBool, Constructor, IS_COPY, Ordering, c_char, c_int, c_void};

    unsafe extern "C" {
        fn on_exit(hook: extern "C" fn(c_int, *mut c_void), data: *mut c_void) -> c_int;
        fn fcloseall() -> c_int;
    }

    /// The hook that was registered first, and so runs when all others have run.
    extern "C" fn leave(code: c_int, _: *mut c_void) {
        if !AtomicBool::load(&IS_COPY, Ordering::Relaxed) {
            return;
        }
        // SAFETY: what `exit` itself does at this point for C's streams, and then the end.
        unsafe {
            fcloseall();
            libc::_exit(code);
        }
    }

    extern "C" fn register(_: c_int, _: *const *const c_char, _: *const *const c_char) {
        // SAFETY: the hook stays there as long as the program. A refusal leaves the longer end.
        unsafe { on_exit(leave, std::ptr::null_mut()) };
    }

    /// Before every other constructor of the executable, so that no hook that one of them registers is missed.
    #[used]
    #[unsafe(link_section = ".init_array.00000")]
    static REGISTER: Constructor = register;
}
