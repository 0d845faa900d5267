//! Python packages for the tests, in virtual environments below the target folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::output::print_line;
use crate::tool::tool;
use crate::{Result, target_dir};

/// The file in an environment that holds the requirements that it was made with.
const INSTALLED: &str = "installed-requirements.txt";

/// Returns the folder of programs of an environment with these requirements (lines as pip reads them), which is made if
/// it does not exist or has others.
///
/// # Errors
/// This machine has no Python with `venv` and pip, or a package cannot be installed.
pub async fn prepare_environment(name: &str, requirements: &str) -> Result<PathBuf> {
    let folder = target_dir().join(name);
    let (programs, installed) = (folder.join("bin"), folder.join(INSTALLED));
    if fs::read_to_string(&installed).is_ok_and(|found| found == requirements) {
        return Ok(programs);
    }
    print_line(format!("installing Python packages in `{}`", folder.display()));
    tool("python3").args(["-m", "venv", "--clear"]).args([&folder]).run().await?;
    let list = folder.join("requirements.txt");
    write_file(&list, requirements)?;
    tool(programs.join("pip")).args(["install", "--quiet", "-r"]).args([&list]).run().await?;
    // Last: an installation that was interrupted is repeated.
    write_file(&installed, requirements)?;
    Ok(programs)
}

fn write_file(path: &Path, text: &str) -> Result {
    fs::write(path, text).map_err(|error| format!("`{}` can't be written: {error}", path.display()))
}
