use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

use super::{KafkaServerError, Result};

/// The release that is fetched: the newest of the line before the latest. It needs Java 17.
const VERSION: &str = "4.3.1";
/// The same version of log4j as in that release; the broker's log says when it is ready.
const LOG_BINDING: &str = "2.25.4";
const JAVA_HINT: &str = "Kafka runs on Java 17 or later (Debian: apt-get install openjdk-17-jre-headless), or set TRIPLINE_TEST_KAFKA to a broker that runs";
const MAVEN_HINT: &str = "Kafka's jars are fetched with Maven (Debian: apt-get install maven), or set TRIPLINE_KAFKA_HOME to an unpacked Kafka";

/// Where Kafka's jars are, and Java.
#[derive(Debug)]
pub(super) struct Installation {
    libs: PathBuf,
}

impl Installation {
    pub(super) fn find_or_fetch() -> Result<Self> {
        let answer = Command::new("java").arg("-version").output();
        if !answer.is_ok_and(|answer| answer.status.success()) {
            return Err(KafkaServerError::Missing {
                program: "java".to_owned(),
                hint: JAVA_HINT,
            });
        }
        let libs = match variable("TRIPLINE_KAFKA_HOME") {
            Some(home) => Path::new(&home).join("libs"),
            None => fetched()?,
        };
        if !libs.is_dir() {
            return Err(KafkaServerError::Missing {
                program: format!("the folder {}", libs.display()),
                hint: "TRIPLINE_KAFKA_HOME is the folder of an unpacked Kafka",
            });
        }
        Ok(Self { libs })
    }

    /// Java with Kafka's jars.
    pub(super) fn java(&self) -> Command {
        let mut command = Command::new("java");
        command.arg("-cp").arg(self.libs.join("*"));
        command
    }
}

/// The folder of jars in the cache, which is filled when it is not there.
fn fetched() -> Result<PathBuf> {
    let tools = tools_folder()?;
    let libs = tools.join(format!("kafka-{VERSION}")).join("libs");
    if libs.is_dir() {
        return Ok(libs);
    }
    // Filled aside and moved in whole: another process may be doing the same.
    let aside = tools.join(format!("kafka-{VERSION}.{}", process::id()));
    fs::create_dir_all(&aside).map_err(KafkaServerError::io(format!(
        "making the folder {}",
        aside.display()
    )))?;
    let filled = fill(&aside);
    if filled.is_ok() && fs::rename(&aside, tools.join(format!("kafka-{VERSION}"))).is_ok() {
        return Ok(libs);
    }
    let _ = fs::remove_dir_all(&aside);
    filled?;
    if libs.is_dir() {
        return Ok(libs);
    }
    Err(KafkaServerError::Failed {
        program: "putting Kafka's jars in place".to_owned(),
        output: format!("{} cannot be made", libs.display()),
    })
}

fn fill(folder: &Path) -> Result<()> {
    let project = folder.join("pom.xml");
    fs::write(&project, project_file())
        .map_err(KafkaServerError::io("writing Maven's project file"))?;
    let answer = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "--file"])
        .arg(&project)
        .arg("dependency:copy-dependencies")
        .arg("-DincludeScope=runtime")
        .arg(format!(
            "-DoutputDirectory={}",
            folder.join("libs").display()
        ))
        .output();
    let Ok(answer) = answer else {
        return Err(KafkaServerError::Missing {
            program: "mvn".to_owned(),
            hint: MAVEN_HINT,
        });
    };
    if answer.status.success() {
        return Ok(());
    }
    Err(KafkaServerError::Failed {
        program: format!("fetching Kafka {VERSION} with mvn"),
        output: tail(&answer.stdout),
    })
}

fn project_file() -> String {
    format!(
        r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tripline</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG_BINDING}</version>
    </dependency>
  </dependencies>
</project>
"#
    )
}

fn tools_folder() -> Result<PathBuf> {
    if let Some(tools) = variable("TRIPLINE_TOOLS") {
        return Ok(tools.into());
    }
    let cache = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")));
    cache
        .map(|cache| cache.join("tripline-tools"))
        .ok_or_else(|| KafkaServerError::Missing {
            program: "a folder for tools".to_owned(),
            hint: "set XDG_CACHE_HOME, HOME or TRIPLINE_TOOLS",
        })
}

/// The last lines of what a program printed.
pub(super) fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// A variable of the environment that is set to something.
#[expect(
    clippy::disallowed_methods,
    reason = "tests say where their servers are in the environment"
)]
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
