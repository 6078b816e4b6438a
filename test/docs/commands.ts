/** The commands of the documentation, in the order in which a reader types them. */
import { spawnSync } from 'node:child_process';
import { blocksOf } from './markdown.ts';

export interface DocumentedCommand {
  /** As it stands there; a command may go over several lines. */
  readonly text: string;
  readonly line: number;
  /** What the comment at its end says, else 0. */
  readonly exitCode: number;
  /** The `text` block right after, for the last command of its `sh` block: part of what it prints, `…` for anything. */
  readonly prints?: string;
}

export function commandsOf(markdown: string): DocumentedCommand[] {
  const blocks = blocksOf(markdown);
  return blocks.flatMap((block, index) => {
    if (block.language !== 'sh') return [];
    const commands = splitCommands(block.text, block.line);
    const next = blocks[index + 1];
    // The fence that ends this block, an empty line, the fence that begins the next.
    const isRightAfter = next?.language === 'text' && next.line === block.line + block.text.split('\n').length + 3;
    const last = commands.pop();
    if (last === undefined) throw new Error(`line ${block.line}: an empty sh block`);
    return [...commands, isRightAfter ? { ...last, prints: next.text } : last];
  });
}

function splitCommands(text: string, firstLine: number): DocumentedCommand[] {
  const commands: DocumentedCommand[] = [];
  let begun: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (begun.length === 0 && /^\s*(#.*)?$/.test(line)) continue;
    begun.push(line);
    const command = begun.join('\n');
    if (line.endsWith('\\') || !isComplete(command)) continue;
    const exitCode = Number(/ # exit (\d+)$/.exec(line)?.[1] ?? 0);
    commands.push({ text: command, line: firstLine + index - begun.length + 1, exitCode });
    begun = [];
  }
  if (begun.length > 0) throw new Error(`line ${firstLine}: bash cannot read the command: ${begun.join('\n')}`);
  return commands;
}

/** Whether bash can read it: a quote that is still open, or a document that is still to come, says no. */
function isComplete(command: string): boolean {
  const { status, stderr } = spawnSync('bash', ['-n', '-c', command], { encoding: 'utf8' });
  return status === 0 && stderr === '';
}

/** Whether the output holds what the documentation shows; white space counts as one space. */
export function shows(output: string, documented: string): boolean {
  const pieces = squeeze(documented)
    .split('…')
    .map((piece) => piece.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(pieces.join('.*')).test(squeeze(output));
}

function squeeze(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
