/** Just enough Markdown for the checks of the documentation: fenced blocks, tables, headings, links. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** README.md, CONTRIBUTING.md and docs/*.md, as paths from the root. CHANGELOG.md has no commands, only links. */
export const DOCUMENTS: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `docs/${name}`),
];

export interface Block {
  /** `sh`, `json`, `text`, … */
  readonly language: string;
  readonly text: string;
  /** The first line of its text, from 1. */
  readonly line: number;
}

export function readDocument(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  for (let index = 0; index < lines.length; index += 1) {
    const language = /^```(\w+)$/.exec(lines[index] ?? '')?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf('```', index + 1);
    if (end < 0) throw new Error(`the block at line ${index + 1} has no end`);
    blocks.push({ language, text: lines.slice(index + 1, end).join('\n'), line: index + 2 });
    index = end;
  }
  return blocks;
}

/** The document without its blocks: what is left is prose, tables, headings. */
export function proseOf(markdown: string): string {
  return markdown.replaceAll(/^```\w*\n[\s\S]*?^```$/gm, '');
}

/** Rows of every table, a cell an entry; heads and rulers too are left out. */
export function tableRows(markdown: string, firstHead: string): string[][] {
  const lines = proseOf(markdown).split('\n');
  const rows: string[][] = [];
  for (let index = 0; index < lines.length; index += 1) {
    if (cellsOf(lines[index] ?? '')?.[0] !== firstHead || !/^\| *---/.test(lines[index + 1] ?? '')) continue;
    for (index += 2; cellsOf(lines[index] ?? '') !== undefined; index += 1)
      rows.push(cellsOf(lines[index] ?? '') ?? []);
  }
  return rows;
}

function cellsOf(line: string): string[] | undefined {
  return /^\|.*\|$/
    .exec(line)?.[0]
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim());
}

/** Every `code` in a text. */
export function codesIn(text: string): string[] {
  return Array.from(text.matchAll(/`([^`]+)`/g), ([, code = '']) => code);
}

/** A heading's anchor as GitHub makes it. */
export function anchorsOf(markdown: string): Set<string> {
  return new Set(
    Array.from(proseOf(markdown).matchAll(/^#+ (.*)$/gm), ([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

export function linksOf(markdown: string): string[] {
  return Array.from(proseOf(markdown).matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target);
}

/** White space as one space, so that a line break in the documentation does not count. */
export function squeezed(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
