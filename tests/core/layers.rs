//! The top-level modules of a crate depend on one another in one direction: there is no cycle.
//!
//! A module depends on another if its code, without that for tests, names it: in a `use`, or by a path that begins with
//! `crate` or that climbs to the root by `super`. A name that the root re-exports stands for the module that it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Returns the names of all crates of the workspace, which are also their folders.
fn crates(workspace: &Path) -> Vec<String> {
    let entries = fs::read_dir(workspace).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.filter(|name| name.starts_with("gtr-")).collect()
}

#[test]
fn no_crate_has_a_cycle_of_modules() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let crates = crates(workspace);
    assert!(crates.len() >= 8, "crates are missing: {crates:?}");
    for name in &crates {
        let graph = Graph::of(&sources(&workspace.join(name).join("src")));
        assert!(graph.modules.len() > 1, "{name}: no modules were found");
        assert!(graph.edges.values().any(|to| !to.is_empty()), "{name}: no module depends on another");
        if name == "gtr-core" {
            // The traits and the data of the axes are named by macros.
            for (from, to) in [("schedule", "solver"), ("schedule", "cooling"), ("step_axes", "step_reuse")] {
                assert!(graph.edges[from].contains(to), "{from}: {:?}", graph.edges[from]);
            }
        }
        let cycle = graph.cycle();
        assert!(cycle.is_empty(), "{name}: dependency cycle of the modules {}", cycle.join(" -> "));
    }
}

#[test]
fn every_way_to_name_a_module_is_seen() {
    let cycle = |a: &str, rest: &[(&str, &str)]| {
        let mut files = vec![("lib.rs", "mod a;\nmod b;\nmod c;\npub use b::{Thing, other as renamed};"), ("a.rs", a)];
        files.extend_from_slice(rest);
        Graph::of(&files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect())
            .cycle()
            .join(" ")
    };
    let back = ("b.rs", "pub struct Thing; pub fn other(_: crate::a::A) {}");
    for ways in [
        "use crate::b;",
        "use crate::b::Thing;",
        "use crate::Thing;",
        "use crate::{c::C, Thing as It};",
        "use crate::{c, renamed};",
        "use super::b::Thing;",
        "use super::{c::C, Thing};",
        "fn f() -> crate::Thing { loop {} }",
        "fn f() { let x = vec![crate::b::other()]; }",
        "mod inner { use super::super::b; }",
        "macro_rules! m { () => { $crate::Thing } }",
    ] {
        assert_eq!(cycle(ways, &[back]), "a b a", "{ways}");
    }
    let deep = [("a/mod.rs", "mod deep;"), ("a/deep.rs", "use super::super::Thing;"), back];
    assert_eq!(cycle("", &deep), "a b a");
    assert_eq!(cycle("use crate::c::C;", &[("b.rs", "use crate::a::A;"), ("c.rs", "use crate::Thing;")]), "a c b a");
    for no_way in [
        "use other::b::Thing;",
        "mod b { pub struct Thing; } use b::Thing; use self::b::Thing;",
        "mod inner { use super::b; } mod b {}",
        "//! [`crate::Thing`]\nuse crate::c::C;",
        "#[cfg(test)]\nmod tests { use crate::b::Thing; }",
        "#[cfg(test)]\nuse crate::{b::Thing};\nuse crate::c::C;",
        "#[cfg(test)]\n#[expect(dead_code)]\npub fn f() { crate::b::other() }",
        "#[cfg(test)]\nconst N: usize = { crate::b::N };",
    ] {
        assert_eq!(cycle(no_way, &[back, ("c.rs", "pub struct C;")]), "", "{no_way}");
    }
}

/// The text of a crate's source files, by path from `src/`.
type Sources = BTreeMap<PathBuf, String>;

fn sources(root: &Path) -> Sources {
    let (mut sources, mut folders) = (Sources::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.insert(path.strip_prefix(root).unwrap().to_owned(), text);
            }
        }
    }
    sources
}

/// The top-level modules of a crate and what they depend on.
struct Graph {
    modules: BTreeSet<String>,
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn of(sources: &Sources) -> Self {
        let files: Vec<(Vec<String>, Vec<TokenTree>)> =
            sources.iter().map(|(path, text)| (module(path), code(text.parse().unwrap()))).collect();
        let modules: BTreeSet<String> = files.iter().filter_map(|(module, _)| module.first().cloned()).collect();
        // What the root re-exports, by name, with the module that it comes from.
        let mut origins: BTreeMap<String, String> =
            modules.iter().map(|module| (module.clone(), module.clone())).collect();
        for (_, root) in files.iter().filter(|(module, _)| module.is_empty()) {
            for (module, name) in reexports(root).into_iter().filter(|(module, _)| modules.contains(module)) {
                assert_ne!(name, "*", "the root re-exports all of {module}: name what it does");
                origins.entry(name).or_insert(module);
            }
        }
        let mut generated: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (_, table) in files.iter().filter(|(module, _)| *module == ["axes"]) {
            axes(table, &mut |module, name| {
                if modules.contains(&module) {
                    for variable in ["$field", "$other_field", "$axis", "$other_axis"] {
                        generated.entry(variable).or_default().insert(module.clone());
                    }
                    origins.insert(name, module);
                }
            });
            data(table, &mut |name| generated.entry("$data").or_default().extend(origins.get(&name).cloned()));
        }
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, tokens) in files.iter().filter(|(module, _)| !module.is_empty()) {
            let mut named = BTreeSet::new();
            names(tokens, module.len(), &mut named);
            let of_table = named.iter().filter(|name| name.starts_with('$')).flat_map(|name| {
                generated.get(name.as_str()).unwrap_or_else(|| panic!("{module:?}: unknown path crate::{name}"))
            });
            let depends = named.iter().filter_map(|name| origins.get(name)).chain(of_table);
            let depends = depends.filter(|other| **other != module[0]);
            edges.entry(module[0].clone()).or_default().extend(depends.cloned());
        }
        Self { modules, edges }
    }

    /// The shortest cycle, its first module again at the end; empty if there is none.
    fn cycle(&self) -> Vec<String> {
        let cycles = self.modules.iter().filter_map(|module| self.way_back(module));
        cycles.min_by_key(Vec::len).unwrap_or_default()
    }

    /// The shortest way from a module to itself.
    fn way_back(&self, start: &String) -> Option<Vec<String>> {
        let (mut ways, mut seen) = (vec![vec![start.clone()]], BTreeSet::new());
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in ways {
                for next in self.edges.get(way.last()?).into_iter().flatten() {
                    let way: Vec<String> = way.iter().chain([next]).cloned().collect();
                    if next == start {
                        return Some(way);
                    }
                    if seen.insert(next) {
                        longer.push(way);
                    }
                }
            }
            ways = longer;
        }
        None
    }
}

/// Passes the module and the trait of each axis to `found`. In the table of axes of gtr-core, from which the root re-exports
/// the traits, a line begins with a variant, a module and a trait.
fn axes(tokens: &[TokenTree], found: &mut impl FnMut(String, String)) {
    for line in tokens.windows(4) {
        if let [TokenTree::Ident(_), TokenTree::Ident(module), TokenTree::Ident(name), comma] = line
            && is_punct(comma, ',')
        {
            found(module.to_string(), name.to_string());
        }
    }
    for token in tokens {
        if let TokenTree::Group(group) = token {
            axes(&group.stream().into_iter().collect::<Vec<_>>(), found);
        }
    }
}

/// Passes the type of the data of each axis, which follows `=>` in the table, to `found`.
fn data(tokens: &[TokenTree], found: &mut impl FnMut(String)) {
    for line in tokens.windows(3) {
        if let [equals, greater, TokenTree::Ident(name)] = line
            && is_punct(equals, '=')
            && is_punct(greater, '>')
        {
            found(name.to_string());
        }
    }
    for token in tokens {
        if let TokenTree::Group(group) = token {
            data(&group.stream().into_iter().collect::<Vec<_>>(), found);
        }
    }
}

/// The path of the module that a file holds; empty for the root.
fn module(path: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    let file = module.last().map(String::as_str);
    if file == Some("mod") || module.len() == 1 && matches!(file, Some("lib" | "main")) {
        module.pop();
    }
    module
}

/// The tokens of a file or a block without what is under `#[cfg(test)]`, and without attributes.
fn code(tokens: TokenStream) -> Vec<TokenTree> {
    let mut tokens = tokens.into_iter().peekable();
    let (mut code, mut test) = (Vec::new(), false);
    while let Some(token) = tokens.next() {
        if is_punct(&token, '#') {
            tokens.next_if(|token| is_punct(token, '!'));
            let attribute = tokens.next_if(|token| matches!(token, TokenTree::Group(_)));
            test |= attribute.is_some_and(|attribute| attribute.to_string().replace(' ', "") == "[cfg(test)]");
        } else if test {
            skip_item(&token, &mut tokens);
            test = false;
        } else {
            code.push(token);
        }
    }
    code
}

/// Skips the rest of an item that begins with `first`: up to its block, or up to a semicolon where a block is only a part.
fn skip_item(first: &TokenTree, rest: &mut impl Iterator<Item = TokenTree>) {
    let mut token = first.clone();
    let mut to_semicolon = false;
    loop {
        match &token {
            TokenTree::Ident(word) => match word.to_string().as_str() {
                "use" | "const" | "static" | "type" => to_semicolon = true,
                "fn" => to_semicolon = false,
                _ => {}
            },
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !to_semicolon => return,
            token if is_punct(token, ';') => return,
            _ => {}
        }
        let Some(next) = rest.next() else { return };
        token = next;
    }
}

/// What a root re-exports: the module that each name comes from, and the name.
fn reexports(root: &[TokenTree]) -> Vec<(String, String)> {
    let mut reexports = Vec::new();
    for (position, token) in root.iter().enumerate() {
        if is_ident(token, "use") {
            for path in paths(&root[position + 1..]) {
                let path: Vec<_> = path.into_iter().skip_while(|part| part == "crate" || part == "self").collect();
                if let [module, .., name] = path.as_slice() {
                    reexports.push((module.clone(), name.clone()));
                }
            }
        }
    }
    reexports
}

/// The first parts of all paths from the crate's root in the tokens of a module at this depth.
fn names(tokens: &[TokenTree], depth: usize, found: &mut BTreeSet<String>) {
    let mut position = 0;
    while position < tokens.len() {
        let token = &tokens[position];
        let continues = position >= 2 && tokens[position - 2..position].iter().all(|token| is_punct(token, ':'));
        if !continues && (is_ident(token, "crate") || is_ident(token, "super")) {
            for path in paths(&tokens[position..]) {
                let up = path.iter().take_while(|part| *part == "super").count();
                let from_root = path[0] == "crate" || up == depth;
                found.extend(path.get(up.max(1)).filter(|_| from_root).cloned());
            }
        }
        if let TokenTree::Group(group) = token {
            let inline = position >= 2 && is_ident(&tokens[position - 2], "mod");
            names(&code(group.stream()), depth + usize::from(inline), found);
        }
        position += 1;
    }
}

/// The paths that tokens begin with, groups taken apart, each ending in the name that it is used by.
fn paths(tokens: &[TokenTree]) -> Vec<Vec<String>> {
    match tokens {
        [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Brace => {
            let tokens = code(group.stream());
            tokens.split(|token| is_punct(token, ',')).flat_map(paths).collect()
        }
        [star, ..] if is_punct(star, '*') => vec![vec!["*".to_owned()]],
        [TokenTree::Ident(part), colon, second, rest @ ..] if is_punct(colon, ':') && is_punct(second, ':') => {
            let mut longer = paths(rest);
            for path in &mut longer {
                path.insert(0, part.to_string());
            }
            longer
        }
        [TokenTree::Ident(part), keyword, TokenTree::Ident(name), ..] if is_ident(keyword, "as") => {
            vec![vec![part.to_string(), name.to_string()]]
        }
        [TokenTree::Ident(part), ..] => vec![vec![part.to_string()]],
        // A variable of a macro, which the table of axes fills in.
        [dollar, TokenTree::Ident(variable), ..] if is_punct(dollar, '$') => vec![vec![format!("${variable}")]],
        _ => Vec::new(),
    }
}

fn is_punct(token: &TokenTree, punct: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == punct)
}

fn is_ident(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(found) if found == word)
}
