import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cachedFolder, cacheFolder } from '../../devservers/cache.ts';

let cache: string;

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'cache-'));
});
afterEach(() => rm(cache, { recursive: true, force: true }));

async function fill(temporary: string, text: string): Promise<string> {
  const filled = join(temporary, 'filled');
  await mkdir(filled);
  await writeFile(join(filled, 'file'), text);
  return filled;
}

it('fills a folder once', async () => {
  const folder = join(cache, 'server');
  await cachedFolder(folder, (temporary) => fill(temporary, 'first'));
  await cachedFolder(folder, (temporary) => fill(temporary, 'second'));
  expect(await readFile(join(folder, 'file'), 'utf8')).toBe('first');
});

it('stays whole where several fill it at the same time, and leaves nothing beside it', async () => {
  const folder = join(cache, 'deeper', 'server');
  const fillers = ['a', 'b', 'c'].map((text) => cachedFolder(folder, (temporary) => fill(temporary, text)));
  expect(await Promise.all(fillers)).toEqual([folder, folder, folder]);
  expect(await readdir(join(cache, 'deeper'))).toEqual(['server']);
  expect(await readdir(folder)).toEqual(['file']);
});

it('leaves nothing where filling fails', async () => {
  const failing = cachedFolder(join(cache, 'server'), async () => {
    throw new Error('no network');
  });
  await expect(failing).rejects.toThrow('no network');
  expect(await readdir(cache)).toEqual([]);
});

it('lies outside the tree, wherever the environment says', () => {
  expect(cacheFolder({ BEDROCK_COHERE_CACHE: '/somewhere' })).toBe('/somewhere');
  expect(cacheFolder({ XDG_CACHE_HOME: '/caches' })).toBe('/caches/bedrock-cohere');
  expect(cacheFolder({})).toMatch(/\/\.cache\/bedrock-cohere$/);
});
