import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { AUDIT_KINDS, changeRecord, denialRecord } from '../../src/audit/records.ts';
import { chatCompleteInput } from '../../src/calls/inputs/chat-inputs.ts';
import { generateEmbeddingsInput, rerankInput, textCompleteInput } from '../../src/calls/inputs/task-inputs.ts';
import { RECORD_SCHEMAS } from '../../src/catalog/records.ts';
import { parseConfig } from '../../src/config.ts';
import { ERROR_CODES } from '../../src/errors.ts';
import { modelRecord } from '../../src/integrations/model.ts';
import {
  describeRule,
  EMBEDDINGS_PARAMETERS,
  type ParameterRule,
  RERANK_PARAMETERS,
  TEXT_PARAMETERS,
} from '../../src/integrations/parameters.ts';
import { promptRecord } from '../../src/prompts/prompt.ts';
import { ACCESSES } from '../../src/rbac/grants.ts';
import { PERMISSIONS, SYSTEM_ROLES } from '../../src/rbac/permissions.ts';
import { SUBJECT_SOURCES } from '../../src/rbac/task-subject.ts';
import { auditFields } from '../../src/record-fields.ts';
import { RUN_BY, USER_ROLES } from '../../src/redis/users.ts';
import { GRANTED } from '../rbac/support/matrix.ts';
import { PROGRAM } from '../support/program.ts';
import { silentMetrics } from '../workers/support/harness.ts';
import { codesIn, ROOT, readDocument, tableRows } from './markdown.ts';

/** Variable → its default as the source writes it; undefined: none. */
function environmentOfSource(): Map<string, string | undefined> {
  const source = readFileSync(join(ROOT, 'src/config.ts'), 'utf8');
  const body = /const environment = z\s*\.object\(\{\n([\s\S]*?)\n *\}\)/.exec(source)?.[1];
  if (body === undefined) throw new Error('the schema of the environment is not where it was in src/config.ts');
  const entries = body.split(/\n(?= +[A-Z_]+:)/).map((entry) => entry.trim());
  return new Map(
    entries.map((entry) => [
      entry.slice(0, entry.indexOf(':')),
      /\.default\((.*)\),$/s.exec(entry)?.[1]?.replaceAll(/[[\]'_ ]/g, ''),
    ]),
  );
}

describe('docs/configuration.md', () => {
  const rows = tableRows(readDocument('docs/configuration.md'), 'variable').filter((cells) => cells.length === 3);
  const documented = new Map(rows.map(([name = '', value = '']) => [codesIn(name)[0] ?? name, value]));

  it('names every environment variable of the schema, and no other', () => {
    expect([...documented.keys()].sort()).toEqual([...environmentOfSource().keys()].sort());
  });

  it('gives the defaults of the schema', () => {
    for (const [name, value] of environmentOfSource()) {
      const said = documented.get(name) ?? '';
      if (name === 'TASK_TYPES') expect(said).toBe('every type we serve');
      else if (name === 'WORKER_ID') expect(value).toBeUndefined();
      else expect(said, name).toBe(value === undefined ? '–' : `\`${value}\``);
    }
  });
});

describe('docs/operations.md', () => {
  it.each(tableRows(readDocument('docs/operations.md'), '`REDIS_URL`'))(
    'shows a form of REDIS_URL that is read: %s',
    (form) => {
      const url = codesIn(form)[0] ?? '';
      expect(parseConfig({ REDIS_URL: url, REDIS_PREFIX: '{cohere}:' }).redis.url).toBe(url);
    },
  );

  it('says of every user of Redis what runs as it, and of every command which user it needs', () => {
    const rows = tableRows(readDocument('docs/operations.md'), 'user of Redis');
    expect(Object.fromEntries(rows.map(([role = '', runs = '']) => [codesIn(role)[0], codesIn(runs)]))).toEqual(
      Object.fromEntries(USER_ROLES.map((role) => [`cohere-${role}`, RUN_BY[role]])),
    );
    const asksNoRedis = ['acl', 'completion'];
    const commands = PROGRAM.commands.map((command) => command.name()).filter((name) => !asksNoRedis.includes(name));
    expect(Object.values(RUN_BY).flat().sort()).toEqual(commands.sort());
  });
});

describe('docs/errors.md', () => {
  it('holds every error code with whether it is retryable and what it means', () => {
    const rows = tableRows(readDocument('docs/errors.md'), 'code');
    const said = rows.map(([code = '', retryable, meaning]) => [codesIn(code)[0], retryable, meaning]);
    const known = Object.entries(ERROR_CODES).map(([code, { retryable, meaning }]) => [
      code,
      retryable ? 'yes' : 'no',
      meaning,
    ]);
    expect(said).toEqual(known);
    for (const [code, , , whatToDo] of rows) expect(whatToDo, code).not.toBe('');
  });
});

describe('docs/metrics.md', () => {
  it('holds every metric with its type, labels and meaning', () => {
    const { registry } = silentMetrics();
    const known = registry.getMetricsAsArray().map((metric) => {
      const { name, help, labelNames = [] } = metric as { name: string; help: string; labelNames?: string[] };
      const labels = labelNames.length === 0 ? '–' : labelNames.map((label) => `\`${label}\``).join(', ');
      return [`\`${name}\``, metric.constructor.name.toLowerCase(), labels, help];
    });
    expect(tableRows(readDocument('docs/metrics.md'), 'metric')).toEqual(known);
  });
});

describe('docs/redis.md', () => {
  const markdown = readDocument('docs/redis.md');
  const sections = new Map(markdown.split(/^## /m).map((section) => [section.split('\n')[0] ?? '', section]));
  const SECTIONS: Readonly<Record<keyof typeof RECORD_SCHEMAS, string>> = {
    integrations: 'Integrations',
    models: 'Models',
    prompts: 'Prompts',
    groups: 'Groups and their members',
    applications: 'Applications',
    users: 'Users and roles',
    roles: 'Users and roles',
    'access-keys': 'Access keys and token keys',
    'token-keys': 'Access keys and token keys',
  };

  it.each(Object.keys(SECTIONS) as (keyof typeof RECORD_SCHEMAS)[])('names every field of %s', (kind) => {
    const schema = RECORD_SCHEMAS[kind];
    const rows = (sections.get(SECTIONS[kind]) ?? '').split('\n').filter((line) => line.startsWith('|'));
    const said = new Set(codesIn(rows.join('\n')));
    for (const field of Object.keys(schema.shape).filter((name) => !(name in auditFields))) {
      expect(said, `${kind}.${field}`).toContain(field);
    }
    for (const field of fieldsOf(schema.shape, 'configuration')) expect(said).toContain(`configuration.${field}`);
  });

  it('names the fields that every record may hold', () => {
    expect(codesIn(sections.get('Users and roles') ?? '')).toEqual(expect.arrayContaining(Object.keys(auditFields)));
  });
});

/** The keys of an object at a path, however it is wrapped: nullable, with a default, a transform or a check. */
function fieldsOf(shape: Readonly<Record<string, unknown>>, ...path: readonly string[]): string[] {
  const [name, ...rest] = path;
  if (name === undefined) return Object.keys(shape);
  let here: unknown = shape[name];
  for (;;) {
    if (here instanceof z.ZodObject) return fieldsOf(here.shape, ...rest);
    if (here instanceof z.ZodPipe) here = here.def.in;
    else if (here instanceof z.ZodOptional || here instanceof z.ZodNullable || here instanceof z.ZodDefault)
      here = here.unwrap();
    else return [];
  }
}

describe('docs/tasks.md', () => {
  const markdown = readDocument('docs/tasks.md');
  type Rules = Readonly<Record<string, Readonly<Record<string, ParameterRule>>>>;

  it.each([
    ['text', TEXT_PARAMETERS as Rules],
    ['embeddings', EMBEDDINGS_PARAMETERS as Rules],
    ['rerank', RERANK_PARAMETERS as Rules],
  ])('gives every parameter and range of the %s families', (_, families) => {
    const rows = markdown.split('\n');
    const head = `| input | ${Object.keys(families)
      .map((family) => `\`${family}\``)
      .join(' | ')} |`;
    const start = rows.indexOf(head);
    expect(start).toBeGreaterThan(0);
    const parameters = Object.keys(Object.values(families)[0] ?? {});
    const known = parameters.map((parameter) => {
      const cells = Object.values(families).map((rules) => describeRule(rules[parameter] as ParameterRule));
      return `| \`${parameter}\` | ${cells.join(' | ')} |`;
    });
    expect(rows.slice(start + 2, start + 2 + known.length).sort()).toEqual(known.sort());
  });

  it('names every default that a model may set', () => {
    const section = markdown.split(/^## /m).find((text) => text.startsWith('Defaults')) ?? '';
    const listed = codesIn(section.slice(section.indexOf(':'), section.indexOf('. Any other')));
    expect(listed).toEqual(fieldsOf(modelRecord.shape, 'configuration', 'defaults'));
  });

  it.each([
    ['LLM_TEXT_COMPLETE', textCompleteInput.shape],
    ['LLM_CHAT_COMPLETE', chatCompleteInput.shape],
    ['LLM_GENERATE_EMBEDDINGS', generateEmbeddingsInput.shape],
    ['LLM_RERANK', rerankInput.shape],
  ])('names every input of %s', (type, shape) => {
    const section = markdown.split(/^## /m).find((text) => text.startsWith(type)) ?? '';
    expect(codesIn(section)).toEqual(expect.arrayContaining(Object.keys(shape)));
  });
});

describe('docs/prompts.md', () => {
  it('names every default that a prompt may set', () => {
    const sections = readDocument('docs/prompts.md').split(/^## /m);
    const section = sections.find((text) => text.startsWith('Defaults')) ?? '';
    const listed = codesIn(section.slice(section.indexOf(':'), section.indexOf('. They have')));
    expect(listed).toEqual(fieldsOf(promptRecord.shape, 'defaults'));
  });
});

describe('docs/audit.md', () => {
  const markdown = readDocument('docs/audit.md');
  const sections = new Map(markdown.split(/^## /m).map((section) => [section.split('\n')[0] ?? '', section]));

  it.each([
    ['A change', changeRecord],
    ['A denial', denialRecord],
  ])('%s: every field with its meaning, as the API describes it', (title, schema) => {
    const known = Object.entries(schema.shape).map(([name, field]) => [`\`${name}\``, field.description]);
    expect(tableRows(sections.get(title) ?? '', 'field')).toEqual(known);
  });

  it('names every kind', () => {
    const rows = tableRows(sections.get('A change') ?? '', 'kind').map(([kinds = '']) => codesIn(kinds));
    expect(rows.flat().sort()).toEqual([...AUDIT_KINDS].sort());
  });
});

describe('docs/access.md', () => {
  it('explains every subject source and how far it can be trusted', () => {
    const sources = tableRows(readDocument('docs/access.md'), 'source').map(([name = '']) => codesIn(name)[0]);
    expect(sources).toEqual([...SUBJECT_SOURCES, ...SUBJECT_SOURCES]);
  });

  it('says of every system role what it permits', () => {
    const rows = tableRows(readDocument('docs/access.md'), 'role');
    const documented = rows.map(([role = '', permits = '']) => [codesIn(role)[0], codesIn(permits)]);
    expect(Object.fromEntries(documented)).toEqual(SYSTEM_ROLES);
  });

  it('says of every permission what it means', () => {
    const rows = tableRows(readDocument('docs/access.md'), 'permission');
    expect(Object.fromEntries(rows.map(([name = '', meaning]) => [codesIn(name)[0], meaning]))).toEqual(PERMISSIONS);
  });

  it('names every access', () => {
    const [, named = ''] = /^The accesses are (.*)\. None/m.exec(readDocument('docs/access.md')) ?? [];
    expect(codesIn(named)).toEqual([...ACCESSES]);
  });

  it('says of every target of a grant which access lets a task run, as the decision does', () => {
    const documented = tableRows(readDocument('docs/access.md'), 'a grant on').map(([name = '', , runs = '']) => [
      codesIn(name)[0]?.split(':')[0] ?? '',
      codesIn(runs),
    ]);
    const decided = new Map<string, Set<string>>();
    for (const [granted, covered] of Object.entries(GRANTED)) {
      const [type = ''] = granted.split(':');
      for (const [kind, { runs }] of Object.entries(covered)) {
        // Nothing runs on an application, whatever is granted; the matrix asks all the same.
        const counts = kind === 'application' ? [] : runs;
        decided.set(type, new Set([...(decided.get(type) ?? []), ...counts]));
      }
    }
    expect(Object.fromEntries(documented)).toEqual(
      Object.fromEntries(Array.from(decided, ([type, runs]) => [type, [...runs]])),
    );
  });
});
