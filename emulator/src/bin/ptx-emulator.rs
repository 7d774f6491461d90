//! `ptx-emulator COMMAND…` runs a command with the emulated driver first on its library path.
//!
//! The driver library lies beside this program; it is linked under the names that programs look
//! for, `libcuda.so` and `libcuda.so.1`. Without a command the folder of these links is printed.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn links() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let here = program.parent().unwrap_or(Path::new("."));
    let library = here.join("libptx_emulator.so");
    if !library.exists() {
        return Err(format!("{} is missing: build the package ptx-emulator", library.display()));
    }
    let folder = here.join("emulated-cuda");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for name in ["libcuda.so", "libcuda.so.1"] {
        let link = folder.join(name);
        if std::fs::read_link(&link).is_ok_and(|to| to == library) {
            continue;
        }
        let _ = std::fs::remove_file(&link);
        #[cfg(unix)]
        let made = std::os::unix::fs::symlink(&library, &link);
        #[cfg(not(unix))]
        let made = std::fs::copy(&library, &link).map(|_| ());
        // Another process may have made it in the meantime.
        if let Err(e) = made
            && !link.exists()
        {
            return Err(format!("{}: {e}", link.display()));
        }
    }
    Ok(folder)
}

fn run() -> Result<ExitCode, String> {
    let folder = links()?;
    let mut arguments = std::env::args_os().skip(1);
    let Some(command) = arguments.next() else {
        println!("{}", folder.display());
        return Ok(ExitCode::SUCCESS);
    };
    let mut path = folder.into_os_string();
    if let Some(others) = std::env::var_os("LD_LIBRARY_PATH") {
        path.push(":");
        path.push(others);
    }
    let status = Command::new(&command).args(arguments).env("LD_LIBRARY_PATH", path).status();
    let status = status.map_err(|e| format!("{}: {e}", command.to_string_lossy()))?;
    Ok(ExitCode::from(status.code().unwrap_or(101) as u8))
}

fn main() -> ExitCode {
    run().unwrap_or_else(|e| {
        eprintln!("ptx-emulator: {e}");
        ExitCode::from(2)
    })
}
