/**
 * Checks that the folders of `src/` import each other only as the architecture allows, and that the outside (Node's
 * modules, the clock, the process, unseeded random numbers) is touched only where it may be.
 *
 * Usage: `npm run layers`. Prints `layers ok: N files`, or one line a violation and exits with 1.
 */
import { readdirSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** What each folder of `src/` may import besides itself. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  platform: ["base"],
  compute: ["base", "platform"],
  data: ["base", "platform"],
  network: ["base", "compute"],
  certificate: [],
  verify: ["certificate"],
  convex: ["base", "compute", "network", "certificate"],
  tangent: ["base", "compute", "network"],
  training: ["base", "compute", "network", "tangent"],
  formats: ["base", "data", "network"],
  report: ["base"],
  experiments: [
    "base",
    "platform",
    "compute",
    "data",
    "network",
    "certificate",
    "verify",
    "convex",
    "tangent",
    "training",
    "formats",
    "report",
  ],
  cli: ["base", "platform", "data", "formats", "report", "experiments"],
};

/** The library's front door stands outside the layers and may import any of them. */
const FRONT_DOOR = "index.ts";

/** Imports between layers that the table does not allow, file by file. */
const IMPORT_EXCEPTIONS: readonly { readonly file: string; readonly layer: string; readonly reason: string }[] = [
  { file: "cli/commands/doctor.ts", layer: "compute", reason: "doctor reports on the backends themselves" },
];

/** The layer that may import any of Node's modules. */
const OUTSIDE = "platform";
/** Node modules that other layers may import, because they compute and touch nothing. */
const NODE_EXCEPTIONS: readonly { readonly layer: string; readonly module: string; readonly reason: string }[] = [
  { layer: "cli", module: "node:util", reason: "parseArgs and styleText are pure" },
];

/** Globals that make a result depend on something else than its input, and the layers that may use them. */
const GLOBALS: Readonly<Record<string, readonly string[]>> = {
  process: ["platform", "cli"],
  console: [],
  Date: ["platform"],
  performance: ["platform"],
  "Math.random": [],
};

/** One broken rule. */
export interface Violation {
  /** Path below the root, with forward slashes. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

export interface LayerCheck {
  /** How many source files were read. */
  readonly files: number;
  readonly violations: readonly Violation[];
}

/** A finding inside one file, before its line is known. */
type Report = (node: ts.Node, message: string) => void;

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** The folder directly below the root that holds a path, or "" for a file of the root itself. */
function layerOf(path: string): string {
  const slash = path.indexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** Whatever names another module: import, export from, dynamic import, import type, import equals; null otherwise. */
function specifierOf(node: ts.Node): ts.Node | null {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier ?? null;
  if (ts.isExternalModuleReference(node)) return node.expression;
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return node.arguments[0] ?? null;
  return null;
}

function checkSpecifier(specifier: ts.Node, file: string, report: Report): void {
  const from = layerOf(file);
  if (!ts.isStringLiteralLike(specifier)) {
    if (from !== OUTSIDE)
      report(specifier, `an import that is not a plain string cannot be checked; only ${OUTSIDE} may`);
    return;
  }
  const name = specifier.text;
  if (!name.startsWith(".")) {
    const excepted = NODE_EXCEPTIONS.some((one) => one.layer === from && one.module === name);
    if (name.startsWith("node:") && from !== OUTSIDE && !excepted) {
      report(specifier, `${from} -> ${name}: only ${OUTSIDE} may import Node's modules`);
    }
    return;
  }
  const target = join(dirname(file), name).split(sep).join("/");
  if (target.startsWith("../")) {
    report(specifier, `${from} -> ${name}: leaves the source folder`);
    return;
  }
  const to = layerOf(target);
  if (file === FRONT_DOOR || to === from) return;
  if (to === "") {
    report(specifier, `${from} -> ${target}: no layer may import the front door`);
    return;
  }
  const excepted = IMPORT_EXCEPTIONS.some((one) => one.file === file && one.layer === to);
  if (!excepted && !LAYERS[from]?.includes(to)) report(specifier, `${from} -> ${to} is not allowed`);
}

/** An expression without the parentheses and type assertions around it. */
function bare(node: ts.Node): ts.Node {
  const wrapped =
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isNonNullExpression(node);
  return wrapped ? bare(node.expression) : node;
}

/** The dotted name of a global that an expression reads (`Date`, `Math.random`, `globalThis.process`), or null. */
function globalOf(node: ts.Node, isGlobal: (identifier: ts.Identifier) => boolean): string | null {
  if (ts.isIdentifier(node)) return isGlobal(node) ? node.text : null;
  let member: string;
  if (ts.isPropertyAccessExpression(node)) member = node.name.text;
  else if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)) {
    member = node.argumentExpression.text;
  } else return null;
  const owner = globalOf(bare(node.expression), isGlobal);
  if (owner === "globalThis") return member;
  return owner === null ? null : `${owner}.${member}`;
}

/** Whether an identifier names a member of something else, so that it cannot be a global. */
function namesMember(identifier: ts.Identifier): boolean {
  const { parent } = identifier;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === identifier;
  if (ts.isQualifiedName(parent)) return parent.right === identifier;
  if (ts.isBindingElement(parent)) return parent.propertyName === identifier;
  return ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent) || ts.isMetaProperty(parent);
}

function checkFile(source: ts.SourceFile, file: string, checker: ts.TypeChecker, report: Report): void {
  const layer = layerOf(file);
  // Without the standard library in the program, an identifier that refers to nothing is a global.
  const isGlobal = (identifier: ts.Identifier): boolean => {
    if (namesMember(identifier)) return false;
    const { parent } = identifier;
    const symbol = ts.isShorthandPropertyAssignment(parent)
      ? checker.getShorthandAssignmentValueSymbol(parent)
      : checker.getSymbolAtLocation(identifier);
    // `globalThis` has a symbol of its own, without a declaration.
    return (symbol?.declarations ?? []).length === 0;
  };
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier !== null) checkSpecifier(specifier, file, report);
    const global = globalOf(node, isGlobal);
    const allowed = global === null || !Object.hasOwn(GLOBALS, global) ? null : GLOBALS[global]!;
    if (allowed !== null && file !== FRONT_DOOR && !allowed.includes(layer)) {
      const where = allowed.length === 0 ? "no layer may" : `only ${allowed.join(" and ")} may`;
      report(node, `${layer} uses ${global}: ${where}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

/**
 * Checks every source file below `root`, whose folders are the layers.
 *
 * @throws Error when `root` cannot be read.
 */
export function checkLayers(root: string): LayerCheck {
  const paths = sourceFiles(root);
  const options: ts.CompilerOptions = {
    noLib: true,
    noResolve: true,
    types: [],
    allowJs: true,
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
    moduleDetection: ts.ModuleDetectionKind.Force,
  };
  const program = ts.createProgram(paths, options);
  const checker = program.getTypeChecker();
  const violations: Violation[] = [];
  for (const path of paths) {
    const file = relative(root, path).split(sep).join("/");
    const source = program.getSourceFile(path)!;
    const report: Report = (node, message) => {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      violations.push({ file, line: line + 1, message });
    };
    const layer = layerOf(file);
    if (layer === "" && file !== FRONT_DOOR) report(source, `a file outside every layer; only ${FRONT_DOOR} may be`);
    else if (layer !== "" && !Object.hasOwn(LAYERS, layer))
      report(source, `unknown layer ${layer}; add it to the table`);
    checkFile(source, file, checker, report);
  }
  return { files: paths.length, violations };
}

const self = fileURLToPath(import.meta.url);
if (process.argv.some((argument) => resolve(argument) === self)) {
  const root = join(dirname(self), "..", "src");
  const { files, violations } = checkLayers(root);
  for (const { file, line, message } of violations) process.stdout.write(`src/${file}:${line}: ${message}\n`);
  if (violations.length === 0) process.stdout.write(`layers ok: ${files} files\n`);
  else process.stdout.write(`${violations.length} violations in ${files} files\n`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
