/**
 * Cohere's models on Bedrock as data, and what an id says: family and life. Bedrock alone decides whether a call
 * works: a life state warns and enriches an error, it never stops a call.
 */
import type { Family } from '../codec.ts';

export interface CohereModel {
  /** The model's own id, without an inference profile's prefix. */
  readonly id: string;
  readonly family: Family;
  /** Tokens in, as AWS rounds them. */
  readonly context: string;
  /** What goes in and what comes out, with the limits that AWS documents. Parameters and their ranges: `parameters.ts`, by family. */
  readonly input: string;
  readonly output: string;
  /** The day (UTC, `YYYY-MM-DD`) from which Bedrock answers 404 "reached the end of its life". Absent: none announced. */
  readonly endOfLife?: string;
  /** A living model to use in its place. */
  readonly alternative?: string;
  /** Where the bare id can be called on demand (before its end, if it has ended). Empty: not known any more. */
  readonly regions: readonly string[];
  /** Cross-Region inference profiles, for the other regions. */
  readonly profiles: readonly string[];
  readonly source: string;
  /** The day (UTC, `YYYY-MM-DD`) on which the row was last compared with AWS's pages: `npm run check:models` says when it is time again. */
  readonly checkedOn: string;
}

const GUIDE = 'https://docs.aws.amazon.com/bedrock/latest/userguide';

/** Where AWS announces ends: the first for models launched before 2026-09-07, the second for later ones. */
export const LIFE_CYCLE_PAGES = [`${GUIDE}/model-lifecycle-legacy.html`, `${GUIDE}/model-lifecycle.html`] as const;

/**
 * No Cohere text model lives on demand, so the alternative is a chat model through Converse: Amazon Nova 2 Lite, whose
 * global profile answers from every commercial region. Source: AWS, model-card-amazon-nova-2-lite.html.
 */
const TEXT_ALTERNATIVE = 'global.amazon.nova-2-lite-v1:0';

const EMBED_V3_REGIONS = [
  'us-east-1',
  'us-west-2',
  'ca-central-1',
  'eu-central-1',
  'eu-west-1',
  'eu-west-2',
  'eu-west-3',
  'ap-northeast-1',
  'ap-south-1',
  'ap-southeast-1',
  'ap-southeast-2',
  'sa-east-1',
];

const CHECKED_ON = '2026-11-23';

export const COHERE_MODELS: readonly CohereModel[] = [
  ...['cohere.command-text-v14', 'cohere.command-light-text-v14'].map((id) => ({
    id,
    family: 'command' as const,
    context: '4K',
    input: 'text; prompt and answer share the context',
    output: 'text, 4096 tokens; up to 5 completions',
    endOfLife: '2025-08-12',
    alternative: TEXT_ALTERNATIVE,
    regions: [],
    profiles: [],
    source: LIFE_CYCLE_PAGES[0],
    checkedOn: CHECKED_ON,
  })),
  ...['cohere.command-r-v1:0', 'cohere.command-r-plus-v1:0'].map((id) => ({
    id,
    family: 'command-r' as const,
    context: '128K',
    input: 'text, conversations, tools, documents to cite',
    output: 'text, 4000 tokens; calls of tools; citations',
    endOfLife: '2026-08-19',
    alternative: TEXT_ALTERNATIVE,
    regions: ['us-east-1', 'us-west-2'],
    profiles: [],
    source: `${GUIDE}/model-card-cohere-command-r-plus.html`,
    checkedOn: CHECKED_ON,
  })),
  ...['cohere.embed-english-v3', 'cohere.embed-multilingual-v3'].map((id) => ({
    id,
    family: 'embed-v3' as const,
    context: '512',
    input: '96 texts of 2048 characters, or 1 image (jpeg, png) of 5 MB',
    output: 'vectors of 1024 numbers',
    regions: EMBED_V3_REGIONS,
    profiles: [],
    source: `${GUIDE}/model-card-cohere-embed-english.html`,
    checkedOn: CHECKED_ON,
  })),
  {
    id: 'cohere.embed-v4:0',
    family: 'embed-v4',
    context: '128K',
    input: '96 texts, images (jpeg, png, webp, gif) or mixed inputs',
    output: 'vectors of 256, 512, 1024 or 1536 numbers',
    regions: ['us-east-1', 'eu-west-1', 'ap-northeast-1'],
    profiles: ['us.cohere.embed-v4:0', 'eu.cohere.embed-v4:0', 'global.cohere.embed-v4:0'],
    source: `${GUIDE}/model-card-cohere-embed-v4.html`,
    checkedOn: CHECKED_ON,
  },
  {
    id: 'cohere.rerank-v3-5:0',
    family: 'rerank',
    context: '4K',
    input: 'a query and documents',
    output: 'a relevance from 0 to 1 for each document',
    regions: ['us-east-1', 'us-west-2', 'ca-central-1', 'eu-central-1', 'ap-northeast-1'],
    profiles: [],
    source: `${GUIDE}/model-parameters-cohere.html`,
    checkedOn: CHECKED_ON,
  },
];

/** Any version of a family, also one that is not in the table yet. */
const FAMILY_PATTERNS: readonly (readonly [RegExp, Family])[] = [
  [/^cohere\.command(?:-light)?-text-/, 'command'],
  [/^cohere\.command-r(?:-plus)?-v/, 'command-r'],
  [/^cohere\.embed-(?:english|multilingual)-v3(?!\d)/, 'embed-v3'],
  [/^cohere\.embed-v4(?!\d)/, 'embed-v4'],
  [/^cohere\.rerank-/, 'rerank'],
];

/** The geographies of cross-Region inference profiles. Source: AWS, userguide/inference-profiles-support.html. */
const PROFILE_PREFIX = /^(?:us-gov|us|eu|apac|global|jp|au|ca)\./;
const READABLE_ARN = /^arn:aws(?:-us-gov|-cn)?:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)\/(.+)$/;
/** `vendor.model`, as AWS's pattern for model ids starts; an imported or provisioned model's ARN is not of this form. */
const MODEL_ID = /^[a-z0-9-]+\.[a-z0-9]/i;

/** The table's row of an id, with or without a profile's prefix, a context suffix (`:7:4k`) or an ARN around it. */
export function findModel(modelId: string): CohereModel | undefined {
  const id = bareId(modelId);
  return COHERE_MODELS.find((model) => id === model.id || id?.startsWith(`${model.id}:`));
}

/** `legacy`: the end is announced. `unknown`: not a model of the table, or an ARN that hides it. */
export const LIFE_STATES = ['active', 'legacy', 'ended', 'unknown'] as const;

export interface Life {
  readonly state: (typeof LIFE_STATES)[number];
  /** `YYYY-MM-DD`, where it will end. */
  readonly endsOn?: string;
  /** `YYYY-MM-DD`, where it has ended. */
  readonly endedOn?: string;
  /** A living model's id, where it will end or has ended. */
  readonly alternative?: string;
}

/**
 * A model's life at a moment, from the dates of the table: its last day is the one before its end-of-life date, in UTC. An
 * alternative that has itself ended by then is not named, nor one that cannot be called from `region`, where that is given.
 */
export function lifeOf(modelId: string, now: Date, region?: string): Life {
  const model = findModel(modelId);
  if (model === undefined) return { state: 'unknown' };
  const { endOfLife, alternative } = model;
  if (endOfLife === undefined) return { state: 'active' };
  const isOfUse = alternative !== undefined && !hasEnded(alternative, now) && isProfileOf(region, alternative);
  const livingOne = isOfUse ? { alternative } : {};
  return hasEnded(modelId, now)
    ? { state: 'ended', endedOn: endOfLife, ...livingOne }
    : { state: 'legacy', endsOn: endOfLife, ...livingOne };
}

function hasEnded(modelId: string, now: Date): boolean {
  const endOfLife = findModel(modelId)?.endOfLife;
  return endOfLife !== undefined && now.toISOString().slice(0, 10) >= endOfLife;
}

/** What people are to know of a model's life: a sentence without its end, or undefined where there is nothing to say. */
export function lifeWarning({ endsOn, endedOn, alternative }: Life): string | undefined {
  if (endsOn === undefined && endedOn === undefined) return undefined;
  const when = endedOn === undefined ? `reaches its end of life on ${endsOn}` : `reached its end of life on ${endedOn}`;
  return `the model ${when}${alternative === undefined ? '' : `; a living alternative is ${alternative}`}`;
}

/** Regions from which a geography's profiles can be called, in AWS's commercial partition. Source: AWS, userguide/inference-profiles-support.html. */
const PROFILE_REGIONS: readonly (readonly [prefix: string, RegExp])[] = [
  ['us.', /^us-(?!gov)/],
  ['eu.', /^eu-/],
  ['global.', /^(?!us-gov-|cn-)/],
];

/** Whether an id's profile, if it has one, can be called from there. */
function isProfileOf(region: string | undefined, modelId: string): boolean {
  const [, regions] = PROFILE_REGIONS.find(([prefix]) => modelId.startsWith(prefix)) ?? [];
  return region === undefined || regions === undefined || regions.test(region);
}

/** The model's profiles that can be called from a region, by the table; empty where it has none, or is not in it. */
export function profilesIn(modelId: string, region: string): readonly string[] {
  return (findModel(modelId)?.profiles ?? []).filter((profile) => isProfileOf(region, profile));
}

/**
 * That an id can't be called from a region, by the table, and what can: a sentence without its end. Undefined where it can, or
 * where the table does not know: other models than Cohere's, ARNs, models past their end.
 */
export function regionWarning(modelId: string, region: string): string | undefined {
  const model = findModel(modelId);
  if (model === undefined || model.endOfLife !== undefined || modelId.startsWith('arn:')) return undefined;
  const profiles = profilesIn(modelId, region);
  const profile = model.profiles.find((one) => modelId.startsWith(one));
  const isBare = modelId.startsWith(model.id);
  if (profile === undefined && !isBare) return undefined;
  if (profile === undefined ? model.regions.includes(region) : profiles.includes(profile)) return undefined;
  const others = isBare && profiles.length > 0 ? `: call it by ${profiles.join(' or ')} in modelId` : '';
  const where = others === '' && profile === undefined ? `; it is in ${model.regions.join(', ')}` : '';
  return `${modelId} is not on demand in ${region}, as of ${model.checkedOn}${others}${where}`;
}

/** A model's state and its date, for listings; undefined where the table does not have it. */
export function lifeInWords(modelId: string, now: Date): string | undefined {
  const { endsOn, endedOn } = lifeOf(modelId, now);
  if (endedOn !== undefined) return `ended on ${endedOn}`;
  if (endsOn !== undefined) return `legacy, ends on ${endsOn}`;
  const checkedOn = findModel(modelId)?.checkedOn;
  return checkedOn === undefined ? undefined : `active, as of ${checkedOn}`;
}

/**
 * Which codec serves a model: its record's `family`, else what `modelId` shows, else what its name shows. An id that
 * shows another model than Cohere's known families is `converse`, whatever the record is named; an ARN that hides its
 * model shows nothing, so the name decides, and `converse` where it says nothing either.
 */
export function familyOf(model: {
  readonly name: string;
  readonly modelId?: string | undefined;
  readonly family?: Family | undefined;
}): Family {
  if (model.family !== undefined) return model.family;
  const shown = [model.modelId ?? '', model.name].map(bareId).find((id) => id !== undefined) ?? '';
  return FAMILY_PATTERNS.find(([pattern]) => pattern.test(shown))?.[1] ?? 'converse';
}

/** The model's id in an id, a profile's id or an ARN; undefined where it can't be read. */
function bareId(modelId: string): string | undefined {
  const named = READABLE_ARN.exec(modelId)?.[1] ?? modelId;
  const id = named.replace(PROFILE_PREFIX, '');
  return MODEL_ID.test(id) ? id : undefined;
}
