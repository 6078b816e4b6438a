import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseManifests } from '../../src/manifests/parse.ts';
import { readManifestValue } from '../../src/manifests/read-value.ts';

const read = (...texts: string[]) =>
  parseManifests(texts.map((text, index) => ({ file: `${'abc'[index]}.yaml`, text })));
/** Faults as they are printed. */
const faultsOf = (...texts: string[]) =>
  read(...texts).faults.map(({ file, line, message }) => `${file}:${line}: ${message}`);

const INTEGRATION =
  '{ type: aws_bedrock_cohere, configuration: { connectionType: CONDUCTOR_ROLE, region: us-east-1 } }';

/** "Manifests" of the contract, to the letter. */
const CONTRACT = `integrations: { bedrock-prod: { type: aws_bedrock_cohere, configuration: { connectionType: CONDUCTOR_ROLE, region: us-east-1 } } }
models:       { "bedrock-prod:cohere.embed-v4:0": { configuration: { maxConcurrency: 8 } } }
groups:       { analysts: { description: Risk analysts, members: [alice@example.com, "app:claims"] } }
applications: { claims: { workflows: ["claims_*"] } }
grants:
  - { subject: "GROUP:analysts", target: "INTEGRATION:bedrock-prod:cohere.embed-v4:0", access: [READ, EXECUTE] }
`;

describe('a manifest', () => {
  it('with a !tag is refused: what was meant would be taken as plain text', () => {
    expect(faultsOf('integrations:\n  p:\n    configuration: { api_key: !env SECRET_NAME }\n')).toEqual([
      'a.yaml:3: a !tag means nothing here; write the text itself',
    ]);
  });

  it('keeps names that look like numbers as they are written', () => {
    const { wanted } = read('groups: { 007: {}, 1.10: {}, 0x1F: {} }');
    expect([...(wanted.records.get('groups')?.keys() ?? [])]).toEqual(['007', '1.10', '0x1F']);
  });

  it('as the contract shows it is understood without a fault', () => {
    const { wanted, faults } = read(CONTRACT);
    expect(faults).toEqual([]);
    expect(wanted.records.get('models')?.get('bedrock-prod:cohere.embed-v4:0')).toEqual({
      configuration: { maxConcurrency: 8 },
    });
    expect(wanted.records.get('applications')?.get('claims')).toEqual({ workflows: ['claims_*'] });
    expect([...(wanted.members.get('analysts') ?? [])]).toEqual(['alice@example.com', 'app:claims']);
    expect(wanted.grants.get('GROUP:analysts')?.get('INTEGRATION:bedrock-prod:cohere.embed-v4:0')).toBe('READ,EXECUTE');
    expect([...wanted.kinds].sort()).toEqual(['applications', 'grants', 'groups', 'integrations', 'models']);
  });

  it('that says nothing of a kind does not name it, as an empty map does', () => {
    const { wanted, faults } = read('groups:\nusers: ~\ngrants:\nroles: {}\n');
    expect([faults, [...wanted.kinds]]).toEqual([[], ['roles']]);
    expect([...readManifestValue({ groups: null, grants: null, roles: {} }).wanted.kinds]).toEqual(['roles']);
  });

  it("keeps a group's members out of its record", () => {
    const { wanted } = read(CONTRACT);
    expect(wanted.records.get('groups')?.get('analysts')).toEqual({ description: 'Risk analysts' });
  });

  it('keeps a record as it is written: no defaults are added', () => {
    const { wanted } = read('users: { alice: }\nprompts: { p: { template: "${x}" } }');
    expect(wanted.records.get('users')?.get('alice')).toEqual({});
    expect(wanted.records.get('prompts')?.get('p')).toEqual({ template: '${x}' });
  });

  it('tells members that are not listed from an empty list', () => {
    const { wanted } = read('groups: { a: {}, b: { members: [] } }');
    expect(wanted.members.has('a')).toBe(false);
    expect(wanted.members.get('b')?.size).toBe(0);
  });

  it('may have several documents and files, which are merged', () => {
    const { wanted, faults } = read('users: { a: {} }\n---\nusers: { b: {} }', 'users: { c: {} }\nroles: { r: {} }');
    expect(faults).toEqual([]);
    expect([...(wanted.records.get('users')?.keys() ?? [])]).toEqual(['a', 'b', 'c']);
    expect([...wanted.kinds]).toEqual(['users', 'roles']);
  });

  it.each(['', '# only a comment', '---\n---\n', 'users:\n', 'grants:\n', 'users: {}\ngrants: []'])(
    'that says nothing wants nothing and is no fault: %j',
    (text) => {
      const { wanted, faults } = read(text);
      expect(faults).toEqual([]);
      expect([...wanted.records.values()].flatMap((table) => [...table])).toEqual([]);
      expect(wanted.grants.size).toBe(0);
    },
  );

  it('may say a record once and mean it elsewhere, by anchor and alias', () => {
    const { wanted, faults } = read('models:\n  "p:a": &m { configuration: { maxConcurrency: 2 } }\n  "p:b": *m\n');
    expect(faults).toEqual([]);
    expect(wanted.records.get('models')?.get('p:b')).toEqual({ configuration: { maxConcurrency: 2 } });
  });

  it('writes the words of a grant in one order, each once', () => {
    const { wanted } = read('grants: [{ subject: "USER:a", target: "PROMPT:p", access: [EXECUTE, READ, EXECUTE] }]');
    expect(wanted.grants.get('USER:a')?.get('PROMPT:p')).toBe('READ,EXECUTE');
  });
});

describe('a fault names its file and line', () => {
  it.each([
    [
      'an unknown map, with the nearest known one',
      'users: {}\nmodel: {}',
      'a.yaml:2: "model" is not one of',
      'Did you mean "models"?',
    ],
    [
      'an unknown key',
      'groups:\n  a:\n    descripton: x',
      'a.yaml:3: groups.a.descripton: unknown key',
      'Did you mean "description"?',
    ],
    [
      'an unknown key of a grant',
      'grants:\n  - subject: "USER:a"\n    target: "PROMPT:p"\n    access: [READ]\n    acess: x',
      'a.yaml:5: grants: acess: unknown key',
      'Did you mean "access"?',
    ],
    [
      'an unknown default of a prompt’s version',
      'prompts:\n  p:\n    template: t\n    defaults: { topK: 1 }\n    versions: { 2: { template: t, defaults: { topk: 1 } } }',
      'a.yaml:5: prompts.p.versions.2.defaults.topk: unknown key. Did you mean "topK"?',
    ],
    ['a missing key', 'prompts:\n  ok: { template: t }\n  p: {}', 'a.yaml:3: prompts.p.template: missing'],
    [
      'a value of the wrong form',
      `integrations:\n  p:\n    type: aws_bedrock_cohere\n    configuration:\n      connectionType: CONDUCTOR_ROLE\n      region: Virginia`,
      'a.yaml:6: integrations.p.configuration.region: an AWS region',
    ],
    [
      'a name of the wrong form',
      `integrations:\n  "-x": ${INTEGRATION}`,
      'a.yaml:2: integrations.-x: the name is not usable',
    ],
    [
      'a model without its integration',
      'models:\n  cohere.embed-v4: {}',
      'a.yaml:2: models.cohere.embed-v4: a model is named provider:model',
    ],
    ['a user that looks like an application', 'users: { "app:x": {} }', 'a.yaml:1: users.app:x: a user id'],
    ['members that are no list', 'groups:\n  a:\n    members: alice', 'a.yaml:3: groups.a.members: a list of user ids'],
    [
      'a subject without a type',
      '\ngrants: [{ subject: alice, target: "PROMPT:p", access: [READ] }]',
      'a.yaml:2: grants: a subject is USER:id',
    ],
    [
      'a target without its model',
      'grants: [{ subject: "USER:a", target: "INTEGRATION:p", access: [READ] }]',
      'a.yaml:1: grants: an INTEGRATION target is',
    ],
    [
      'an unknown access',
      'grants:\n  - subject: "USER:a"\n    target: "PROMPT:p"\n    access: [RUN]',
      'a.yaml:4: grants: access.0: ',
    ],
    [
      'no access at all',
      'grants: [{ subject: "USER:a", target: "PROMPT:p", access: [] }]',
      'a.yaml:1: grants: access: at least one',
    ],
    ['grants as a map', 'grants: { "USER:a": x }', 'a.yaml:1: grants is a list'],
    ['a kind as a list', 'users:\n  - alice', 'a.yaml:1: users is a map'],
    ['a record that is no map', 'users:\n  alice: [x]', 'a.yaml:2: users.alice: '],
    ['a manifest that is no map', '\n- users', 'a.yaml:2: a manifest is a map'],
    ['what is no YAML', 'users: {}\nroles: ]', 'a.yaml:2: '],
    ['an alias without its anchor', 'users:\n  alice: *nobody', 'a.yaml:2: a *alias has no &anchor'],
    ['the second document', 'users: {}\n---\nusrs: {}', 'a.yaml:3: "usrs" is not one of'],
  ])('%s', (_, text, ...expected) => {
    const faults = faultsOf(text);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.startsWith(expected[0] ?? '')).toBe(true);
    for (const part of expected) expect(faults[0]).toContain(part);
  });

  it('and its column: of the key, or of the item in a list, where it stands', () => {
    const text =
      'prompts:\n  p: { template: t, integrations: [a, 1] }\ngroups: { g: { members: [x, ""], desc: y } }\nmodel: {}';
    expect(read(text).faults.map(({ line, column, record }) => [line, column, record])).toEqual([
      [2, 39, 'prompts.p'],
      [3, 34, 'groups.g'],
      [3, 16, 'groups.g'],
      [4, 1, ''],
    ]);
  });

  it('and every fault of every file is listed', () => {
    const faults = faultsOf('models: { x: {} }\nuser: {}', 'prompts: { p: {} }', 'roles: ]');
    expect(faults.map((fault) => fault.slice(0, 8))).toEqual(['a.yaml:1', 'a.yaml:2', 'b.yaml:1', 'c.yaml:1']);
  });

  it('where aliases of aliases grow beyond measure, at once and without building what they mean', () => {
    const lines = ['a: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let n = 1; n < 12; n += 1)
      lines.push(
        `b${n}: &a${n} [${Array(10)
          .fill(`*a${n - 1}`)
          .join(', ')}]`,
      );
    const { faults } = read(
      `models:\n  "p:m":\n    configuration:\n      defaults:\n${lines.map((line) => `        ${line}`).join('\n')}`,
    );
    expect(faults).toEqual([
      { file: 'a.yaml', line: 1, column: 1, record: '', message: 'its *aliases expand to too much' },
    ]);
  });
});

describe('what is named and needs a record', () => {
  it('is listed where something else of the record is wrong, too', () => {
    const text = [
      'models: { "p:m": { x: 1 } }',
      'prompts: { s: { integrations: ["p:n", 1] } }',
      'groups: { g: { x: 1, members: ["app:a"], roles: [R] } }',
      'grants: [{ subject: "GROUP:h", target: "PROMPT:q", access: [RED] }]',
    ].join('\n');
    const { wanted, faults } = read(text);
    expect(wanted.references.map(({ record, kind, name, line }) => [line, record, kind, name])).toEqual([
      [1, 'models.p:m', 'integrations', 'p'],
      [2, 'prompts.s', 'models', 'p:n'],
      [3, 'groups.g', 'applications', 'a'],
      [4, 'the grant of GROUP:h on PROMPT:q', 'groups', 'h'],
      [4, 'the grant of GROUP:h on PROMPT:q', 'prompts', 'q'],
    ]);
    expect(new Set(faults.map(({ line }) => line))).toEqual(new Set([1, 2, 3, 4]));
    expect([wanted.grants.size, [...wanted.records.keys()]]).toEqual([0, []]);
  });

  it('is listed with who names it and where: integrations, models, members, subjects and targets', () => {
    const text = [
      'models: { "p:m": {} }',
      'prompts: { s: { template: t, integrations: ["p:m", "p:n"] } }',
      'groups: { g: { members: [alice, "app:a"] } }',
      'grants:',
      '  - { subject: "GROUP:h", target: "INTEGRATION:p:x", access: [READ] }',
      '  - { subject: "USER:app:a", target: "INTEGRATION_PROVIDER:p", access: [READ] }',
      '  - { subject: "ROLE:r", target: "TAG:tier:gold", access: [READ] }',
      '  - { subject: "USER:bob", target: "WORKFLOW_DEF:w", access: [READ] }',
    ].join('\n');
    const { wanted, faults } = read(text);
    expect(faults).toEqual([]);
    const named = wanted.references.map(({ record, kind, name, line, column }) => [
      `${line}:${column}`,
      record,
      kind,
      name,
    ]);
    expect(named).toEqual([
      ['1:11', 'models.p:m', 'integrations', 'p'],
      ['2:45', 'prompts.s', 'models', 'p:m'],
      ['2:52', 'prompts.s', 'models', 'p:n'],
      ['3:33', 'groups.g', 'applications', 'a'],
      ['5:7', 'the grant of GROUP:h on INTEGRATION:p:x', 'groups', 'h'],
      ['5:27', 'the grant of GROUP:h on INTEGRATION:p:x', 'models', 'p:x'],
      ['6:7', 'the grant of USER:app:a on INTEGRATION_PROVIDER:p', 'applications', 'a'],
      ['6:30', 'the grant of USER:app:a on INTEGRATION_PROVIDER:p', 'integrations', 'p'],
    ]);
  });
});

describe('what is said twice is a fault that names both places:', () => {
  it.each([
    ['a record in one map', ['users:\n  a: {}\n  b: {}\n  a: {}'], 'a.yaml:4: users.a is already said at a.yaml:2:3'],
    [
      'a record in two documents',
      ['users: { a: {} }\n---\nusers: { a: {} }'],
      'a.yaml:3: users.a is already said at a.yaml:1:10',
    ],
    [
      'a record in two files',
      ['users: { a: {} }', '\nusers: { a: {} }'],
      'b.yaml:2: users.a is already said at a.yaml:1:10',
    ],
    [
      'a grant in one list',
      [
        'grants:\n  - { subject: "USER:a", target: "PROMPT:p", access: [READ] }\n  - { subject: "USER:a", target: "PROMPT:p", access: [READ] }',
      ],
      'a.yaml:3: the grant of USER:a on PROMPT:p is already said at a.yaml:2:5',
    ],
    [
      'a grant in two files',
      [
        'grants: [{ subject: "USER:a", target: "PROMPT:p", access: [READ] }]',
        'grants: [{ subject: "USER:a", target: "PROMPT:p", access: [EXECUTE] }]',
      ],
      'b.yaml:1: the grant of USER:a on PROMPT:p is already said at a.yaml:1:10',
    ],
    [
      'a kind in one document',
      ['users: { a: {} }\nroles: {}\nusers: { b: {} }'],
      'a.yaml:3: "users" is already said at a.yaml:1:1',
    ],
    ['a key in a record', ['users:\n  a:\n    name: x\n    name: y'], 'a.yaml:4: "name" is already said at a.yaml:3:5'],
  ])('%s', (_, texts, expected) => {
    expect(faultsOf(...texts)).toEqual([expected]);
  });

  it('not a grant on another target, nor a record of another kind', () => {
    const grant = (target: string) => `{ subject: "USER:a", target: "${target}", access: [READ] }`;
    expect(
      faultsOf(`users: { a: {} }\nroles: { a: {} }\ngrants: [${grant('PROMPT:p')}, ${grant('PROMPT:q')}]`),
    ).toEqual([]);
  });
});

describe('a secret', () => {
  const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCY';
  const manifest = `integrations:\n  p:\n    type: aws_bedrock_cohere\n    configuration: { connectionType: ACCESS_KEY, region: us-east-1, user: AKIA, api_key: ${SECRET} }\n  q:\n    type: aws_bedrock_cohere\n    configuration:\n      connectionType: ACCESS_KEY\n      region: us-east-1\n      user: AKIA\n      api_key: "${SECRET}"\n`;

  it('is not repeated where the space after its colon is missing', () => {
    const faults = faultsOf(manifest.replace('api_key: wJ', 'api_key:wJ'));
    expect(faults.join('\n')).toContain('configuration.api_key…: unknown key');
    expect(faults.join('\n')).not.toContain(SECRET);
  });

  it('is not repeated where its line is taken for the name of a record', () => {
    const faults = faultsOf(`integrations:\n  ? api_key "${SECRET}"\n`);
    expect(faults).toEqual([expect.stringContaining('integrations.api_key…: the name is not usable')]);
    expect(faults[0]).not.toContain(SECRET.slice(0, 10));
  });

  it('is not repeated where it is taken for an alias', () => {
    const faults = faultsOf(manifest.replace(': wJ', ': *wJ'));
    expect(faults).toHaveLength(1);
    expect(faults[0]).not.toContain(SECRET.slice(0, 10));
  });

  it('is in no fault, wherever characters are lost, doubled or slipped in', () => {
    const place = fc.nat(manifest.length - 1);
    const slip = fc.constantFrom(
      '',
      ' ',
      '\n',
      '"',
      "'",
      ':',
      ': ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '#',
      '&',
      '*',
      '!',
      '|',
      '>',
      '%',
      '@',
      '`',
      '\t',
      '- ',
      '? ',
      '---\n',
      '...\n',
      '\\',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(place, fc.nat(2), slip), { minLength: 1, maxLength: 3 }), (edits) => {
        let text = manifest;
        for (const [at, cut, put] of edits) text = text.slice(0, at) + put + text.slice(at + cut);
        // A piece of it, since an edit may have parted it.
        const said = faultsOf(text).join('\n');
        for (let at = 0; at + 14 <= SECRET.length; at += 1) if (said.includes(SECRET.slice(at, at + 14))) return false;
        return true;
      }),
      { numRuns: 3_000 },
    );
  }, 60_000);
});
