// Runs a command with the project's packages in place: `node scripts/with-packages.mjs COMMAND [ARG…]`.
// Plain JavaScript without imports of ours, for it must run on a fresh clone, on whatever Node the machine has.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');

/** npm writes what it installed to node_modules/.package-lock.json: the same versions as asked for, or stale. */
function packagesAreInPlace() {
  try {
    const asked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const there = JSON.parse(readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8')).packages;
    return Object.entries(asked).every(
      ([path, { version, optional, peer }]) => path === '' || optional || peer || there[path]?.version === version,
    );
  } catch {
    return false;
  }
}

if (!packagesAreInPlace()) {
  const started = Date.now();
  process.stderr.write('Installing npm packages (npm ci) … ');
  const install = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (install.status !== 0) {
    process.stderr.write(`failed\n${install.stdout ?? ''}${install.stderr ?? install.error?.message ?? ''}\n`);
    process.stderr.write('npm could not install the packages: see its words above, then run the command again.\n');
    process.exit(3);
  }
  process.stderr.write(`done in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

const [command, ...args] = process.argv.slice(2);
const nodeFromPackages = join(bin, 'node');
const file = command === 'node' && existsSync(nodeFromPackages) ? nodeFromPackages : command;
const child = spawn(file, args, {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
});
// Ctrl-C reaches the whole process group by itself; a SIGTERM only us, so it is passed on. We end when the command has.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('error', (error) => {
  process.stderr.write(`${command}: ${error.message}\n`);
  process.exitCode = 1;
});
child.on('close', (code) => {
  process.exitCode = code ?? 1;
});
