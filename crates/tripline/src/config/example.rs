//! A file with every option, commented out: what it says is what `--help` says.

use clap::Arg;

use super::{
    arguments::{Kind, is_list, kind, name, options},
    reload::is_exchanged,
};

const HEAD: &str = "\
# Options of `tripline serve`. A key is the name of an option; the variable in brackets and what is typed
# are stronger than this file. An option with a + takes effect with SIGHUP, the others with a restart.
";
/// Width of a line of comments.
const WIDTH: usize = 100;

/// The text of the file.
pub(crate) fn example() -> String {
    let (mut top, mut tables): (Vec<Arg>, Vec<(String, Vec<Arg>)>) = Default::default();
    for option in options() {
        let heading = option.get_help_heading().map(str::to_lowercase);
        // What stands below a table would belong to it.
        match heading.filter(|heading| name(&option).starts_with(&format!("{heading}-"))) {
            None => top.push(option),
            Some(heading) => match tables.iter_mut().find(|(other, _)| *other == heading) {
                Some((_, options)) => options.push(option),
                None => tables.push((heading, vec![option])),
            },
        }
    }
    let mut text = HEAD.to_owned();
    for option in &top {
        write(option, name(option), &mut text);
    }
    for (heading, options) in &tables {
        text.push_str(&format!("\n[{heading}]\n"));
        for option in options {
            write(option, &name(option)[heading.len() + 1..], &mut text);
        }
    }
    text
}

fn write(option: &Arg, key: &str, text: &mut String) {
    let help = option
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let variable = option
        .get_env()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    let sign = if is_exchanged(name(option)) { " +" } else { "" };
    text.push('\n');
    let mut line = String::from("#");
    for word in format!("{help} [{variable}]{sign}").split_whitespace() {
        if line.len() + word.len() >= WIDTH {
            text.push_str(&line);
            text.push('\n');
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push_str(&format!("\n#{key} = {}\n", value(option)));
}

/// The default, or what is to be put there.
fn value(option: &Arg) -> String {
    let quoted = |text: &str| match kind(option) {
        Kind::Text => format!("'{text}'"),
        _ => text.to_owned(),
    };
    let default = option
        .get_default_values()
        .first()
        .map(|value| value.to_string_lossy());
    if let Some(default) = default {
        return quoted(&default);
    }
    let names = option.get_value_names().unwrap_or_default();
    let place = quoted(names.first().map_or("VALUE", |name| name.as_str()));
    if is_list(option) {
        format!("[{place}]")
    } else {
        place
    }
}
