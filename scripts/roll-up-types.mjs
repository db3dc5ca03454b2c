/**
 * Writes `dist/index.d.ts`: the library's types as one file with nothing in it that the library does not export or its
 * exports do not need. tsc emits one declaration file per module; here they become one, names that meet renamed.
 */
import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/** The declaration files of everything that `entry` imports, by path, in memory. */
function emitDeclarations(root, entry) {
  const {config} = ts.readConfigFile(path.join(root, 'tsconfig.json'), ts.sys.readFile);
  const {options} = ts.parseJsonConfigFileContent({...config, files: [entry], include: []}, ts.sys, root);
  const emitted = new Map();
  const program = ts.createProgram([path.join(root, entry)], {
    ...options,
    // Never written. In a folder of their own, or their imports would lead to the sources beside them.
    outDir: path.join(root, '.cache/types'),
    rootDir: path.join(root, 'src'),
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
  });
  const {diagnostics} = program.emit(undefined, (file, text) => emitted.set(path.resolve(root, file), text));
  if (diagnostics.length > 0) throw new Error(ts.formatDiagnostics(diagnostics, ts.createCompilerHost(options)));
  return {emitted, options};
}

/** A program over those files, as if they were on disk. */
function programOf({emitted, options}, entry) {
  const host = ts.createCompilerHost(options);
  const {fileExists, readFile, getSourceFile, directoryExists} = host;
  const folders = new Set([...emitted.keys()].map(path.dirname));
  host.directoryExists = folder => folders.has(folder) || directoryExists(folder);
  host.fileExists = file => emitted.has(file) || fileExists(file);
  host.readFile = file => emitted.get(file) ?? readFile(file);
  host.getSourceFile = (file, target, ...rest) =>
    emitted.has(file)
      ? ts.createSourceFile(file, emitted.get(file), target, true)
      : getSourceFile(file, target, ...rest);
  return ts.createProgram([entry], options, host);
}

/** Collects statements from the exports down, each once. */
class RollUp {
  statements = [];
  imports = new Map();
  #names = new Map();
  #taken = new Set();

  constructor(checker, emitted) {
    this.checker = checker;
    this.emitted = emitted;
  }

  resolve(symbol) {
    return symbol.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol;
  }

  /** The name that a symbol has in the one file; its statements are added at the first question. */
  nameOf(symbol) {
    const target = this.resolve(symbol);
    const known = this.#names.get(target);
    if (known) return known;
    let name = target.name;
    for (let count = 1; this.#taken.has(name); count++) name = `${target.name}_${count}`;
    this.#taken.add(name);
    this.#names.set(target, name);
    const texts = target.declarations.map(declaration => this.#text(statementOf(declaration)));
    this.statements.push(...texts);
    return name;
  }

  /** A statement with its references renamed and without `export`; a local `declare` is what remains. */
  #text(statement) {
    const edits = [];
    const visit = node => {
      if (ts.isIdentifier(node)) this.#reference(node, edits);
      ts.forEachChild(node, visit);
    };
    visit(statement);
    const source = statement.getSourceFile();
    const start = statement.getFullStart();
    let text = source.text.slice(start, statement.end);
    for (const {node, name} of edits.sort((a, b) => b.node.pos - a.node.pos)) {
      text = text.slice(0, node.getStart() - start) + name + text.slice(node.end - start);
    }
    return text.trim().replace(/^((?:\/\*\*[\s\S]*?\*\/\s*)?)export /, '$1');
  }

  #reference(node, edits) {
    const symbol = this.checker.getSymbolAtLocation(node);
    if (!symbol || (ts.isPropertyAccessExpression(node.parent) && node.parent.name === node)) return;
    const target = this.resolve(symbol);
    const [declaration] = target.declarations ?? [];
    if (!declaration) return;
    if (this.emitted.has(declaration.getSourceFile().fileName)) {
      if (statementOf(declaration)) edits.push({node, name: this.nameOf(symbol)});
    } else {
      this.#outside(symbol, node);
    }
  }

  /** What comes from Node's types by an import stays an import; globals need none. */
  #outside(symbol, node) {
    const specifier = symbol.declarations?.find(ts.isImportSpecifier);
    if (!specifier) return;
    const module = specifier.parent.parent.parent.moduleSpecifier.text;
    this.#taken.add(node.text);
    this.imports.set(module, (this.imports.get(module) ?? new Set()).add(specifier.getText().replace(/^type /, '')));
  }
}

/** The top-level statement that declares it; undefined for members, parameters and the like. */
function statementOf(declaration) {
  if (ts.isVariableDeclaration(declaration)) return declaration.parent.parent;
  return ts.isSourceFile(declaration.parent) ? declaration : undefined;
}

export function rollUpTypes(root) {
  const declarations = emitDeclarations(root, 'src/index.ts');
  const entry = [...declarations.emitted.keys()].find(file => file.endsWith(`${path.sep}index.d.ts`));
  const program = programOf(declarations, entry);
  const checker = program.getTypeChecker();
  const index = checker.getSymbolAtLocation(program.getSourceFile(entry));
  const rollUp = new RollUp(checker, declarations.emitted);
  const exports = checker.getExportsOfModule(index).map(symbol => {
    const name = rollUp.nameOf(symbol);
    return name === symbol.name ? name : `${name} as ${symbol.name}`;
  });
  const imports = [...rollUp.imports].map(
    ([module, names]) => `import type {${[...names].join(', ')}} from '${module}';`,
  );
  const text = [...imports, ...rollUp.statements, `export {${exports.sort().join(', ')}};`, ''].join('\n\n');
  mkdirSync(path.join(root, 'dist'), {recursive: true});
  writeFileSync(path.join(root, 'dist/index.d.ts'), text);
}
