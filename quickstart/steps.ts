import { styleText } from 'node:util';

export interface Steps {
  /** Runs one step, showing that it runs, and how long it took; `say` adds what it is busy with. */
  readonly run: <Value>(title: string, step: (say: (line: string) => void) => Promise<Value>) => Promise<Value>;
  /** Seconds since the first step. */
  readonly seconds: () => string;
}

type Style = Parameters<typeof styleText>[0];

/** Colours only where stdout is a terminal and NO_COLOR is not set. */
export function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
/** How wide a title may be before its time, in characters. */
const WIDTH = 58;
/** Where no line can be drawn over: how long a step runs before it says that it still does, in milliseconds. */
const PATIENCE_MS = 10_000;

/** Numbered steps on stdout. In a terminal the running one has a clock; elsewhere each is a line when it is over. Once aborted none begins. */
export function createSteps(signal: AbortSignal): Steps {
  const isTerminal = process.stdout.isTTY === true;
  const start = performance.now();
  let number = 0;

  return {
    seconds: () => secondsSince(start),
    run: async (title, step) => {
      signal.throwIfAborted();
      number += 1;
      const label = `${String(number).padStart(2)}`;
      const begin = performance.now();
      let busy = '';
      let frame = 0;
      const draw = () => {
        frame = (frame + 1) % FRAMES.length;
        const line = `${label} ${FRAMES[frame]} ${title}${busy} ${secondsSince(begin)}`;
        process.stdout.write(`\r\x1b[2K${line.slice(0, (process.stdout.columns ?? 80) - 1)}`);
      };
      const remind = () => print(`${label} … ${title}${busy} ${secondsSince(begin)}`);
      const timer = setInterval(isTerminal ? draw : remind, isTerminal ? 100 : PATIENCE_MS);
      const finish = (line: string) => {
        clearInterval(timer);
        process.stdout.write(isTerminal ? `\r\x1b[2K${line}\n` : `${line}\n`);
      };
      try {
        const value = await step((line) => {
          busy = `: ${line}`;
          if (!isTerminal) remind();
        });
        finish(`${label} ${styled('green', '✔')} ${title.padEnd(WIDTH)} ${styled('dim', secondsSince(begin))}`);
        return value;
      } catch (error) {
        finish(`${label} ${styled('red', '✘')} ${title.padEnd(WIDTH)} ${styled('dim', secondsSince(begin))}`);
        throw error;
      }
    },
  };
}

function secondsSince(begin: number): string {
  return `${((performance.now() - begin) / 1000).toFixed(1)} s`;
}
