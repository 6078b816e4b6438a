/** How a bench is run: by `npm run bench -- NAME [--quick] [--conductor=real|stub] [--rounds=N]`. */
export interface BenchOptions {
  /** Small enough for about a minute: shows that a bench runs, not what it would measure. */
  readonly quick: boolean;
  /** Undefined: what the bench is meant for. */
  readonly conductor: ConductorKind | undefined;
  readonly rounds: number | undefined;
}

export type ConductorKind = 'real' | 'stub';

/** Progress goes to stderr: stdout's last line is the result. */
export function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 23)} ${line}\n`);
}
