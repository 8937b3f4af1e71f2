/**
 * What the site needs beyond TypeDoc's own options: groups for the exports (`reference.json`), groups for the guides (the
 * headings of `docs/index.md`), examples as pages with their sources, and links from the names in a guide to their reference.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Comment, CommentTag, Converter, ReflectionKind } from 'typedoc';

const root = fileURLToPath(new URL('../..', import.meta.url));
const reference = JSON.parse(readFileSync(new URL('./reference.json', import.meta.url), 'utf8'));
const REFERENCE = 'API reference';
const FIRST = 'Learn';
const LAST = -10_000;
const SOURCES = ['.ts', '.mjs', '.txt'];

/** The files that the index links to, with the heading above. */
function groupsOfIndex() {
  const groups = new Map();
  let title = '';
  for (const line of readFileSync(join(root, 'docs/index.md'), 'utf8').split('\n')) {
    title = /^## (.+)$/.exec(line)?.[1] ?? title;
    for (const [, target] of line.matchAll(/\]\(([^)#\s]+\.md)\)/g)) {
      const path = join(root, 'docs', target);
      if (!groups.has(path)) groups.set(path, title);
    }
  }
  return groups;
}

/** The names that the guides use for the objects of the library. */
const OBJECTS = {
  control: 'RunControl',
  'control.runs': 'RunRegistry',
  'control.aborts': 'AbortRegistry',
  run: 'Run',
  child: 'Run',
  receipt: 'Receipt',
  grant: 'Grant',
  aborts: 'AbortRegistry',
  runs: 'RunRegistry',
  locks: 'SessionLock',
};

/** A name as a guide writes it, such as `run.gate(fetch)` or `RunRegistry`, and what it names. */
function findExport(code, exported) {
  const name = code.replace(/^await /, '').replace(/\(.*$/s, '');
  if (!/^[\w.]+$/.test(name)) return undefined;
  if (exported.has(name)) return exported.get(name);
  const dot = name.lastIndexOf('.');
  if (dot < 0) return undefined;
  const [object, member] = [name.slice(0, dot), name.slice(dot + 1)];
  const owner = exported.get(OBJECTS[object] ?? object);
  return owner?.getChildByName?.([member]);
}

/** Whether the text before a code stands in a heading, in a link's text or in a fence. */
function isPlain(before) {
  const line = before.slice(before.lastIndexOf('\n') + 1);
  if (/^#{1,6} /.test(line) || /^ *```/.test(line)) return false;
  return line.lastIndexOf('[') <= line.lastIndexOf(']');
}

function linkNames(document, exported) {
  let before = '';
  document.content = document.content.map((part) => {
    const plain = part.kind === 'code' && /^`[^`]+`$/.test(part.text) && isPlain(before);
    before += part.text;
    const target = plain ? findExport(part.text.slice(1, -1), exported) : undefined;
    if (target === undefined) return part;
    return { kind: 'inline-tag', tag: '@linkcode', text: part.text.slice(1, -1), target };
  });
}

/** The sources of an example, each as a section of its page. */
function sourcesOf(folder) {
  // In the order of the README.
  const readme = readFileSync(join(folder, 'README.md'), 'utf8');
  const placeOf = (path) => (readme.indexOf(`\`${path}\``) + readme.length) % readme.length;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(
      (path) => SOURCES.includes(extname(path)) && !/node_modules|^demo\/|expected-output|vitest\.config/.test(path),
    )
    .sort((a, b) => placeOf(a) - placeOf(b));
  const sections = files.map((path) => {
    const text = readFileSync(join(folder, path), 'utf8').trimEnd();
    return `### ${path}\n\n\`\`\`ts\n${text}\n\`\`\`\n`;
  });
  return `\n\n## Sources\n\n${sections.join('\n')}`;
}

/** Puts the exports of a group into the order of `reference.json`. */
function sortGroups({ project }) {
  for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
    for (const { title, children } of module.categories ?? []) {
      const names = reference[module.name]?.[title]?.names ?? [];
      children.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
    }
  }
}

export function load(app) {
  const groups = groupsOfIndex();
  const files = new Map();

  app.converter.on(Converter.EVENT_BEGIN, ({ project }) => {
    // The landing page stands for the README, which says the same.
    project.files.registerReflectionPath(join(root, 'README.md'), project);
  });

  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, document) => {
    const path = document.project.files.getReflectionPath(document);
    files.set(document, path);
    document.frontmatter.category = groups.get(path) ?? FIRST;
    if (document.frontmatter.title === undefined) {
      document.name = /^# (.+)$/m.exec(readFileSync(path, 'utf8'))?.[1] ?? document.name;
    }
    const folder = dirname(path);
    if (basename(path) === 'README.md' && existsSync(join(folder, 'package.json'))) {
      document.content.push({ kind: 'text', text: sourcesOf(folder) });
    }
  });

  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const exported = new Map();
    for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
      module.comment ??= new Comment();
      module.comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: REFERENCE }]));
      const groupOf = new Map();
      for (const [title, { line, names }] of Object.entries(reference[module.name] ?? {})) {
        for (const name of names) groupOf.set(name, title);
        const text = `${title}\n${line}`;
        module.comment.blockTags.push(new CommentTag('@categoryDescription', [{ kind: 'text', text }]));
      }
      for (const child of module.children ?? []) {
        const title = groupOf.get(child.name);
        if (title === undefined)
          app.logger.warn(`docs/site/reference.json has no group for ${module.name}: ${child.name}`);
        child.comment ??= new Comment();
        child.comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: title ?? 'Other' }]));
        if (!exported.has(child.name)) exported.set(child.name, child);
      }
    }
    for (const document of files.keys()) linkNames(document, exported);
  });

  // Behind TypeDoc's own handlers, which make the groups.
  app.converter.on(Converter.EVENT_RESOLVE_END, sortGroups, LAST);
}
