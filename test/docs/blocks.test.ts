import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseManifests } from '../../src/manifests/parse.ts';
import { PROGRAM } from '../support/program.ts';
import { anchorsOf, blocksOf, DOCUMENTS, linksOf, ROOT, readDocument, squeezed } from './markdown.ts';

const WITH_LINKS = [...DOCUMENTS, 'CHANGELOG.md'];

describe('links', () => {
  it.each(WITH_LINKS)('of %s lead somewhere', (document) => {
    const markdown = readDocument(document);
    for (const link of linksOf(markdown)) {
      if (/^https?:/.test(link)) continue;
      const [path = '', anchor] = link.split('#');
      const file = path === '' ? document : normalize(join(dirname(document), path));
      expect(existsSync(join(ROOT, file)), `${link}: ${file} does not exist`).toBe(true);
      if (anchor !== undefined) {
        expect(anchorsOf(readDocument(file)), `${link}: no such heading in ${file}`).toContain(anchor);
      }
    }
  });
});

const blocks = DOCUMENTS.flatMap((document) =>
  blocksOf(readDocument(document)).map((block) => ({ ...block, place: `${document}:${block.line}` })),
);

describe('blocks', () => {
  it('are all of a known kind', () => {
    for (const { language, place } of blocks) {
      expect(['sh', 'json', 'yaml', 'ts', 'text', 'mermaid'], place).toContain(language);
    }
  });

  it.each(blocks.filter(({ language }) => language === 'json'))('$place is JSON', ({ text }) => {
    expect(() => JSON.parse(text)).not.toThrow();
  });

  it.each(blocks.filter(({ language }) => language === 'yaml'))('$place is a manifest', ({ place, text }) => {
    expect(parseManifests([{ file: place, text }]).faults).toEqual([]);
  });

  it.each(blocks.filter(({ language }) => language === 'ts'))(
    '$place is of an example, which is compiled',
    ({ text }) => {
      const example = readFileSync(join(ROOT, 'examples/retrieval/workflow.ts'), 'utf8');
      for (const paragraph of text.trim().split('\n\n')) expect(example).toContain(paragraph);
    },
  );

  it('show the session policy that the worker sends', () => {
    const source = readFileSync(join(ROOT, 'src/integrations/bedrock/connection-types.ts'), 'utf8');
    const sent = /const SESSION_POLICY = JSON\.stringify\(([\s\S]*?)\);/.exec(source)?.[1] ?? '';
    const asJson = squeezed(sent)
      .replaceAll(/(\w+):(?= )/g, '"$1":')
      .replaceAll("'", '"')
      .replaceAll(/,(?= })/g, '');
    const shown = blocksOf(readDocument('docs/connecting-to-aws.md')).filter(({ text }) =>
      text.includes('InvokeModel*'),
    );
    expect(shown.map(({ text }) => JSON.parse(text))).toEqual([JSON.parse(asJson)]);
  });
});

describe('README.md', () => {
  it('shows the workflow that examples/guide holds', () => {
    const shown = blocksOf(readDocument('README.md')).find(({ language }) => language === 'json');
    expect(JSON.parse(shown?.text ?? '')).toEqual(JSON.parse(readDocument('examples/guide/workflow.json')));
  });
});

describe('commands', () => {
  it('named anywhere in the documentation exist', () => {
    const known = new Set(PROGRAM.commands.map((command) => command.name()));
    for (const document of WITH_LINKS) {
      const markdown = readDocument(document);
      for (const [whole, name = ''] of markdown.matchAll(
        /(?:`|^|\| )(?:bedrock-cohere|node dist\/cli\.js) ([a-z]\w*)/gm,
      )) {
        expect(known, `${document}: ${whole}`).toContain(name);
      }
    }
  });
});
