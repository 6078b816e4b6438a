import { PassThrough } from 'node:stream';
import { buildProgram } from '../../src/cli/program.ts';

/** The commands as commander knows them, to look at and not to run: it reads no environment and says nothing. */
export const PROGRAM = buildProgram({
  ...{ variables: {}, stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() },
  ...{ version: '0.0.0', ask: undefined, end: () => undefined },
});
