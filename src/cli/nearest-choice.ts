import { type Argument, type Command, InvalidArgumentError, type Option } from 'commander';
import { didYouMean } from '../parsing.ts';

/** What commander keeps of an option or argument that has choices; it declares the reader of the one and not of the other. */
interface Chosen {
  readonly argChoices?: readonly string[];
  parseArg?: <T>(value: string, previous: T) => T;
}

/** Of a value that is none of a flag's or an argument's choices, the command names the nearest that is, too. */
export function nameNearestChoices({ options, registeredArguments }: Command): void {
  const all: readonly (Option | Argument)[] = [...options, ...registeredArguments];
  for (const one of all as readonly Chosen[]) {
    const { argChoices: choices, parseArg: read } = one;
    if (choices === undefined || read === undefined) continue;
    one.parseArg = (value, previous) => {
      try {
        return read(value, previous);
      } catch (error) {
        if (!(error instanceof InvalidArgumentError)) throw error;
        throw new InvalidArgumentError(`${error.message}${didYouMean(value, choices)}`);
      }
    };
  }
}
