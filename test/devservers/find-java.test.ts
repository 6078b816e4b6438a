import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findJava, parseJavaVersion } from '../../devservers/find-java.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'find-java-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A Java home whose `java -version` prints what is given. */
async function fakeJava(name: string, printed: string): Promise<string> {
  const bin = join(folder, name, 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'java'), `#!/bin/sh\necho '${printed}' >&2\n`);
  await chmod(join(bin, 'java'), 0o755);
  return join(folder, name);
}

const NOWHERE = { javaHome: '/nowhere', path: '', folders: [] };

describe('findJava', () => {
  it('passes over an old Java on PATH for a newer one beside it', async () => {
    const old = await fakeJava('a-17', 'openjdk version "17.0.15" 2025-04-15');
    const young = await fakeJava('b-25', 'openjdk version "25" 2025-09-16');
    const found = await findJava({ javaHome: '/nowhere', path: join(old, 'bin'), folders: [folder] });
    expect(found).toEqual({ path: join(young, 'bin', 'java'), version: 25 });
  });

  it('prefers JAVA_HOME, then PATH, to the usual folders', async () => {
    const home = await fakeJava('z-22', 'openjdk version "22.0.1" 2024-04-16');
    const onPath = await fakeJava('y-21', 'openjdk version "21.0.4" 2024-07-16');
    const places = { path: join(onPath, 'bin'), folders: [folder] };
    expect((await findJava({ ...places, javaHome: home }))?.version).toBe(22);
    expect((await findJava({ ...places, javaHome: '/nowhere' }))?.version).toBe(21);
  });

  it('believes what a Java prints, not how its folder is called', async () => {
    await fakeJava('java-21-openjdk', 'openjdk version "1.8.0_402"');
    expect(await findJava({ ...NOWHERE, folders: [folder] })).toBeUndefined();
  });

  it('passes over one that does not run', async () => {
    await mkdir(join(folder, 'a-broken', 'bin'), { recursive: true });
    await writeFile(join(folder, 'a-broken', 'bin', 'java'), 'no program');
    await fakeJava('b-21', 'openjdk version "21" 2023-09-19');
    expect((await findJava({ ...NOWHERE, folders: [folder] }))?.version).toBe(21);
  });

  it('answers undefined where there is none', async () => {
    expect(await findJava({ ...NOWHERE, folders: [folder, join(folder, 'absent')] })).toBeUndefined();
  });
});

describe('parseJavaVersion', () => {
  it.each([
    ['openjdk version "21.0.4" 2024-07-16 LTS', 21],
    ['java version "25" 2025-09-16 LTS', 25],
    ['java version "1.8.0_402"', 8],
    ['openjdk version "26-ea" 2026-03-17', 26],
    ['Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "21.0.1"', 21],
  ])('reads %s', (printed, version) => {
    expect(parseJavaVersion(printed)).toBe(version);
  });

  it('answers undefined for anything else', () => {
    expect(parseJavaVersion('command not found')).toBeUndefined();
  });
});
