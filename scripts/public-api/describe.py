"""Prints the public interface of a crate, one line per item, from the JSON output of rustdoc.

  describe.py target/doc/gtr_core.json

The output contains every item that a user of the crate can name, with its public path and its signature: modules, types with their fields
and variants, traits with their items, functions, constants, macros, and the traits that the types implement. It omits what the compiler
adds: auto traits and blanket implementations.
"""

import json
import sys


class Api:
    def __init__(self, crate):
        self.index = crate["index"]
        self.paths = crate["paths"]
        self.root = str(crate["root"])
        self.lines = set()
        # Shortest public path of each item.
        self.public = {}
        # Modules and types that are being described: re-exports can form cycles.
        self.open = set()

    def item(self, number):
        return self.index.get(str(number))

    # Types

    def path_name(self, path):
        """Returns the public path of a type of this crate, or the full path of another type, so that imports do not matter."""
        known = self.paths.get(str(path["id"]))
        return self.public.get(path["id"]) or ("::".join(known["path"]) if known else path["path"])

    def path(self, path):
        return self.path_name(path) + self.arguments(path.get("args"))

    def arguments(self, args):
        if not args:
            return ""
        if "angle_bracketed" in args:
            inner = args["angle_bracketed"]
            parts = [self.argument(it) for it in inner["args"]]
            parts += [self.constraint(it) for it in inner["constraints"]]
            return f"<{', '.join(parts)}>" if parts else ""
        if "parenthesized" in args:
            inner = args["parenthesized"]
            output = f" -> {self.type(inner['output'])}" if inner["output"] else ""
            return f"({', '.join(self.type(it) for it in inner['inputs'])}){output}"
        return "(..)"

    def argument(self, argument):
        if argument == "infer":
            return "_"
        ((kind, value),) = argument.items()
        if kind == "type":
            return self.type(value)
        if kind == "const":
            return value["expr"]
        return value

    def constraint(self, constraint):
        name = constraint["name"] + self.arguments(constraint.get("args"))
        ((kind, value),) = constraint["binding"].items()
        if kind == "equality":
            ((of, it),) = value.items()
            return f"{name} = {self.type(it) if of == 'type' else it['expr']}"
        return f"{name}: {self.bounds(value)}"

    def type(self, type_):
        if type_ == "infer":
            return "_"
        ((kind, it),) = type_.items()
        match kind:
            case "resolved_path":
                return self.path(it)
            case "generic" | "primitive":
                return it
            case "tuple":
                return f"({', '.join(map(self.type, it))}{',' if len(it) == 1 else ''})"
            case "slice":
                return f"[{self.type(it)}]"
            case "array":
                return f"[{self.type(it['type'])}; {it['len']}]"
            case "borrowed_ref":
                lifetime = f"{it['lifetime']} " if it["lifetime"] else ""
                return f"&{lifetime}{'mut ' if it['is_mutable'] else ''}{self.type(it['type'])}"
            case "raw_pointer":
                return f"*{'mut' if it['is_mutable'] else 'const'} {self.type(it['type'])}"
            case "impl_trait":
                return f"impl {self.bounds(it)}"
            case "dyn_trait":
                bounds = [self.poly(bound) for bound in it["traits"]] + ([it["lifetime"]] if it["lifetime"] else [])
                return f"(dyn {' + '.join(bounds)})"
            case "qualified_path":
                name = it["name"] + self.arguments(it.get("args"))
                if not it["trait"] or not it["trait"]["path"]:
                    return f"{self.type(it['self_type'])}::{name}"
                return f"<{self.type(it['self_type'])} as {self.path(it['trait'])}>::{name}"
            case "function_pointer":
                return f"{self.for_all(it['generic_params'])}{self.qualifiers(it['header'])}fn{self.signature(it['sig'])}"
            case "pat":
                return self.type(it["type"])
        raise ValueError(f"unknown kind of type: {kind}")

    def poly(self, poly):
        return self.for_all(poly["generic_params"]) + self.path(poly["trait"])

    def for_all(self, parameters):
        return f"for<{', '.join(it['name'] for it in parameters)}> " if parameters else ""

    def bounds(self, bounds):
        return " + ".join(map(self.bound, bounds))

    def bound(self, bound):
        ((kind, it),) = bound.items()
        if kind == "trait_bound":
            modifier = {"none": "", "maybe": "?", "maybe_const": "~const "}[it["modifier"]]
            return modifier + self.for_all(it["generic_params"]) + self.path(it["trait"])
        if kind == "outlives":
            return it
        return f"use<{', '.join(self.captured(argument) for argument in it)}>"

    @staticmethod
    def captured(argument):
        return next(iter(argument.values())) if isinstance(argument, dict) else argument

    # Generics

    def generics(self, generics):
        parts = []
        for parameter in generics["params"]:
            ((kind, it),) = parameter["kind"].items()
            name = parameter["name"]
            if kind == "lifetime":
                parts.append(name + (f": {' + '.join(it['outlives'])}" if it["outlives"] else ""))
            elif kind == "const":
                parts.append(f"const {name}: {self.type(it['type'])}")
            elif not it["is_synthetic"]:
                bounds = f": {self.bounds(it['bounds'])}" if it["bounds"] else ""
                default = f" = {self.type(it['default'])}" if it["default"] else ""
                parts.append(name + bounds + default)
        return f"<{', '.join(parts)}>" if parts else ""

    def where(self, generics):
        parts = []
        for predicate in generics["where_predicates"]:
            ((kind, it),) = predicate.items()
            if kind == "bound_predicate":
                parts.append(f"{self.for_all(it['generic_params'])}{self.type(it['type'])}: {self.bounds(it['bounds'])}")
            elif kind == "lifetime_predicate":
                parts.append(f"{it['lifetime']}: {' + '.join(it['outlives'])}")
            else:
                rhs = it["rhs"]
                parts.append(f"{self.type(it['lhs'])} = {self.type(rhs['type']) if 'type' in rhs else rhs['constant']['expr']}")
        return f" where {', '.join(parts)}" if parts else ""

    @staticmethod
    def qualifiers(header):
        words = [word for word in ("const", "async", "unsafe") if header.get(f"is_{word}")]
        abi = header["abi"]
        if abi != "Rust":
            words.append(f'extern "{abi if isinstance(abi, str) else next(iter(abi))}"')
        return "".join(f"{word} " for word in words)

    def signature(self, signature):
        inputs = [self.input(name, type_) for name, type_ in signature["inputs"]]
        if signature["is_c_variadic"]:
            inputs.append("...")
        output = f" -> {self.type(signature['output'])}" if signature["output"] else ""
        return f"({', '.join(inputs)}){output}"

    def input(self, name, type_):
        if name == "self":
            if type_ == {"generic": "Self"}:
                return "self"
            reference = type_.get("borrowed_ref")
            if reference and reference["type"] == {"generic": "Self"}:
                lifetime = f"{reference['lifetime']} " if reference["lifetime"] else ""
                return f"&{lifetime}{'mut ' if reference['is_mutable'] else ''}self"
        return f"{name}: {self.type(type_)}" if name else self.type(type_)

    # Items

    def emit(self, line):
        self.lines.add(line)

    def attributes(self, item):
        """Returns the attributes that affect users."""
        kept = []
        for attribute in item["attrs"]:
            text = attribute if isinstance(attribute, str) else json.dumps(attribute)
            if "non_exhaustive" in text:
                kept.append("#[non_exhaustive] ")
            elif "must_use" in text:
                kept.append("#[must_use] ")
        return "".join(kept)

    def describe(self, item, prefix, name=None):
        """Adds the lines of the item `prefix::name`."""
        name = name or item["name"]
        ((kind, it),) = item["inner"].items()
        path = f"{prefix}::{name}" if prefix else name
        if kind != "use":
            self.public[item["id"]] = min(self.public.get(item["id"], path), path, key=lambda it: (it.count("::"), it))
        head = "pub " + self.attributes(item)
        match kind:
            case "module":
                self.emit(f"pub mod {path}")
                self.inside(item, path, it["items"])
            case "use":
                self.reexport(it, prefix)
            case "struct" | "union":
                self.structure(item, kind, it, path, head)
            case "enum":
                self.emit(f"{head}enum {path}{self.generics(it['generics'])}{self.where(it['generics'])}")
                for variant in map(self.item, it["variants"]):
                    self.variant(variant, path)
                self.implementations(it["impls"], path)
            case "trait":
                self.trait(it, path, head)
            case "function":
                self.emit(
                    f"{head}{self.qualifiers(it['header'])}fn {path}{self.generics(it['generics'])}"
                    f"{self.signature(it['sig'])}{self.where(it['generics'])}"
                )
            case "constant":
                self.emit(f"{head}const {path}: {self.type(it['type'])}")
            case "static":
                self.emit(f"{head}static {'mut ' if it['is_mutable'] else ''}{path}: {self.type(it['type'])}")
            case "type_alias":
                self.emit(f"{head}type {path}{self.generics(it['generics'])} = {self.type(it['type'])}{self.where(it['generics'])}")
            case "macro":
                self.emit(f"pub macro {path}!")
            case "proc_macro":
                self.emit(f"pub macro {path}! ({it['kind']})")
            case _:
                self.emit(f"{head}{kind} {path}")

    def inside(self, item, path, items):
        key = (item["id"], path)
        if key in self.open or len(self.open) > 64:
            return
        self.open.add(key)
        for inner in map(self.item, items):
            if inner and self.is_visible(inner):
                self.describe(inner, path)
        self.open.remove(key)

    @staticmethod
    def is_visible(item):
        return item["visibility"] in ("public", "default")

    def reexport(self, use, prefix):
        target = self.item(use["id"]) if use["id"] is not None else None
        if target is None:
            self.emit(f"pub use {prefix}::{'*' if use['is_glob'] else use['name']} = {use['source']}")
        elif not use["is_glob"]:
            self.describe(target, prefix, use["name"])
        elif "module" in target["inner"]:
            self.inside(target, prefix, target["inner"]["module"]["items"])
        else:
            for variant in map(self.item, target["inner"]["enum"]["variants"]):
                self.variant(variant, prefix)

    def structure(self, item, kind, it, path, head):
        generics = f"{path}{self.generics(it['generics'])}"
        where = self.where(it["generics"])
        shape = it["kind"] if kind == "struct" else {"plain": it}
        if shape == "unit":
            self.emit(f"{head}{kind} {generics}{where}")
        elif "tuple" in shape:
            self.emit(f"{head}{kind} {generics}({self.tuple(shape['tuple'])}){where}")
        else:
            hidden = " { .. }" if shape["plain"].get("has_stripped_fields") else ""
            self.emit(f"{head}{kind} {generics}{where}{hidden}")
            for field in map(self.item, shape["plain"]["fields"] if kind == "struct" else it["fields"]):
                if field:
                    self.emit(f"pub {path}::{field['name']}: {self.type(field['inner']['struct_field'])}")
        self.implementations(it["impls"], path)

    def tuple(self, fields):
        """Returns the fields of a tuple; private ones are `_`."""
        shown = (self.item(field) if field is not None else None for field in fields)
        return ", ".join(f"pub {self.type(field['inner']['struct_field'])}" if field else "_" for field in shown)

    def variant(self, variant, path):
        shape = variant["inner"]["variant"]["kind"]
        head = f"pub {self.attributes(variant)}{path}::{variant['name']}"
        if shape == "plain":
            self.emit(head)
        elif "tuple" in shape:
            self.emit(f"{head}({self.tuple(shape['tuple']).replace('pub ', '')})")
        else:
            self.emit(f"{head} {{ .. }}" if shape["struct"]["has_stripped_fields"] else head)
            for field in map(self.item, shape["struct"]["fields"]):
                if field:
                    self.emit(f"pub {path}::{variant['name']}::{field['name']}: {self.type(field['inner']['struct_field'])}")

    def trait(self, it, path, head):
        bounds = f": {self.bounds(it['bounds'])}" if it["bounds"] else ""
        words = "unsafe " if it["is_unsafe"] else ""
        generics, where = self.generics(it["generics"]), self.where(it["generics"])
        self.emit(f"{head}{words}trait {path}{generics}{bounds}{where}")
        for member in map(self.item, it["items"]):
            if member:
                self.member(member, path, in_trait=True)

    def member(self, member, path, in_trait=False):
        ((kind, it),) = member["inner"].items()
        name = f"{path}::{member['name']}"
        if kind == "assoc_type":
            bounds = f": {self.bounds(it['bounds'])}" if it["bounds"] else ""
            value = f" = {self.type(it['type'])}" if it["type"] else ""
            self.emit(f"pub type {name}{self.generics(it['generics'])}{bounds}{value}{self.where(it['generics'])}")
        elif kind == "assoc_const":
            default = " = .." if in_trait and it["value"] is not None else ""
            self.emit(f"pub const {name}: {self.type(it['type'])}{default}")
        elif kind == "function" and in_trait:
            provided = " { .. }" if it["has_body"] else ""
            self.emit(
                f"pub {self.attributes(member)}{self.qualifiers(it['header'])}fn {name}{self.generics(it['generics'])}"
                f"{self.signature(it['sig'])}{self.where(it['generics'])}{provided}"
            )
        else:
            self.describe(member, path)

    def implementations(self, impls, path):
        for block in map(self.item, impls):
            it = block["inner"]["impl"] if block else None
            if it is None or it["is_synthetic"] or it["blanket_impl"]:
                continue
            if it["trait"] is None:
                for member in map(self.item, it["items"]):
                    if member and self.is_visible(member):
                        self.member(member, path)
                continue
            of = self.path(it["trait"])
            # Marker traits that `derive` adds to the trait itself.
            if of.rsplit("::", 1)[-1] in ("StructuralPartialEq", "Freeze"):
                continue
            negative = "!" if it["is_negative"] else ""
            words = "unsafe " if it["is_unsafe"] else ""
            self.emit(
                f"{words}impl{self.generics(it['generics'])} {negative}{of} for {self.type(it['for'])}{self.where(it['generics'])}"
            )
            for member in map(self.item, it["items"]):
                if member and "assoc_type" in member["inner"]:
                    value = member["inner"]["assoc_type"]["type"]
                    self.emit(f"type <{self.type(it['for'])} as {of}>::{member['name']} = {self.type(value)}")

    def text(self):
        root = self.index[self.root]
        # The first pass finds the paths of the items, the second one describes them.
        self.describe(root, "")
        self.lines.clear()
        self.describe(root, "")
        return "\n".join(sorted(self.lines)) + "\n"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: describe.py CRATE.json")
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.stdout.write(Api(json.load(file)).text())


if __name__ == "__main__":
    main()
