import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What Orkes' Python SDK needs. */
export const OLDEST_PYTHON = '3.10';

/** This Python, where there is one that is new enough and has pip: Debian has them in packages of their own. */
export async function fitPython(python: string | undefined): Promise<string | undefined> {
  if (python === undefined) return undefined;
  const isFit = `import pip, sys; sys.exit(sys.version_info < (${OLDEST_PYTHON.replace('.', ', ')}))`;
  return await promisify(execFile)(python, ['-c', isFit]).then(
    () => python,
    () => undefined,
  );
}
