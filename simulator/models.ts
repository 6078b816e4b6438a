/**
 * Which models there are, where, and whether they still live. States as of November 2026, from Bedrock's pages
 * "Supported foundation models", "Model lifecycle" and "Inference profiles".
 */
import { AwsError, validationError } from './errors.ts';
import { ACCOUNT, HOSTED } from './known.ts';

export const FAMILIES = ['command', 'command-r', 'embed-v3', 'embed-v4', 'rerank', 'converse'] as const;
export type FamilyName = (typeof FAMILIES)[number];

interface FoundationModel {
  readonly family: FamilyName;
  /** The day its life ended; absent: it lives. */
  readonly endOfLife?: string;
  /** Regions that serve the bare id on demand. */
  readonly onDemand: readonly string[] | 'everywhere';
  /** Prefixes of the inference profiles that hold it. */
  readonly profiles?: readonly (keyof typeof PROFILE_REGIONS)[];
  /** Output tokens at most, where the family does not say. */
  readonly maxTokens?: number;
}

/** The regions from which an inference profile can be called. */
const PROFILE_REGIONS = { us: /^us-/, eu: /^eu-/, apac: /^ap-/, global: /^/ } as const;

const EMBED_V3_REGIONS = (
  'us-east-1 us-west-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 eu-west-3 ' +
  'ap-northeast-1 ap-south-1 ap-southeast-1 ap-southeast-2 sa-east-1'
).split(' ');

export const FOUNDATION_MODELS: ReadonlyMap<string, FoundationModel> = new Map(
  Object.entries<FoundationModel>({
    'cohere.command-text-v14': { family: 'command', endOfLife: '2025-08-12', onDemand: [] },
    'cohere.command-light-text-v14': { family: 'command', endOfLife: '2025-08-12', onDemand: [] },
    'cohere.command-r-v1:0': { family: 'command-r', endOfLife: '2026-08-19', onDemand: [] },
    'cohere.command-r-plus-v1:0': { family: 'command-r', endOfLife: '2026-08-19', onDemand: [] },
    'cohere.embed-english-v3': { family: 'embed-v3', onDemand: EMBED_V3_REGIONS },
    'cohere.embed-multilingual-v3': { family: 'embed-v3', onDemand: EMBED_V3_REGIONS },
    'cohere.embed-v4:0': {
      family: 'embed-v4',
      onDemand: ['us-east-1', 'eu-west-1', 'ap-northeast-1'],
      profiles: ['us', 'eu', 'global'],
    },
    'cohere.rerank-v3-5:0': {
      family: 'rerank',
      onDemand: ['us-east-1', 'us-west-2', 'ca-central-1', 'eu-central-1', 'ap-northeast-1'],
    },
    'amazon.nova-micro-v1:0': chat(10_000, ['us', 'eu', 'apac']),
    'amazon.nova-lite-v1:0': chat(10_000, ['us', 'eu', 'apac']),
    'amazon.nova-pro-v1:0': chat(10_000, ['us', 'eu', 'apac']),
    'amazon.nova-2-lite-v1:0': { ...chat(64_000, ['us', 'eu', 'global']), onDemand: [] },
    'anthropic.claude-sonnet-4-5-20250929-v1:0': {
      ...chat(64_000, ['us', 'eu', 'global']),
      onDemand: [],
    },
    'meta.llama3-8b-instruct-v1:0': chat(2048, []),
  }),
);

function chat(maxTokens: number, profiles: readonly (keyof typeof PROFILE_REGIONS)[]): FoundationModel {
  return { family: 'converse', onDemand: 'everywhere', maxTokens, profiles };
}

/** A model behind an ARN of the customer's. */
export interface HostedModel {
  readonly arn: string;
  readonly family: FamilyName;
  /** Output tokens at most. Default: the family's own maximum, 8192 for `converse`. */
  readonly maxTokens?: number | undefined;
}

export interface ResolvedModel {
  readonly family: FamilyName;
  /** The foundation model's id; the ARN itself for a hosted model. */
  readonly name: string;
  /** What a policy must allow the call on, all of them. */
  readonly resources: readonly string[];
  readonly maxTokens: number | undefined;
}

export interface Models {
  /** Throws AwsError for what Bedrock would refuse in that region. */
  resolve(identifier: string, region: string): ResolvedModel;
  host(model: HostedModel): void;
  reset(): void;
}

export function createModels(extra: readonly HostedModel[] = []): Models {
  const hosted = new Map<string, HostedModel>();
  const host = (model: HostedModel) => void hosted.set(model.arn, model);
  const reset = () => {
    hosted.clear();
    host({ arn: HOSTED.command, family: 'command' });
    host({ arn: HOSTED.commandLight, family: 'command' });
    host({ arn: HOSTED.commandR, family: 'command-r' });
    host({ arn: HOSTED.embedV3, family: 'embed-v3' });
    host({ arn: HOSTED.embedV4, family: 'embed-v4' });
    host({ arn: HOSTED.chat, family: 'converse' });
    for (const model of extra) host(model);
  };
  reset();

  return {
    resolve(identifier, region) {
      if (!identifier.startsWith('arn:')) return resolveId(identifier, region);
      const [, , service, arnRegion, account, ...rest] = identifier.split(':');
      if (service !== 'bedrock' || arnRegion !== region) throw unknownModel();
      const resource = rest.join(':');
      if (account === '' && resource.startsWith('foundation-model/')) {
        return resolveBareId(resource.slice('foundation-model/'.length), region);
      }
      if (resource.startsWith('inference-profile/')) {
        return resolveProfile(resource.slice('inference-profile/'.length), region);
      }
      const model = hosted.get(identifier);
      if (model === undefined) throw unknownModel();
      return { family: model.family, name: identifier, resources: [identifier], maxTokens: model.maxTokens };
    },
    host,
    reset,
  };
}

function resolveId(id: string, region: string): ResolvedModel {
  return FOUNDATION_MODELS.has(id) ? resolveBareId(id, region) : resolveProfile(id, region);
}

function resolveBareId(id: string, region: string): ResolvedModel {
  const model = FOUNDATION_MODELS.get(id);
  if (model === undefined) throw unknownModel();
  if (model.endOfLife !== undefined) {
    throw new AwsError(
      'ResourceNotFoundException',
      'This model version has reached the end of its life. Please refer to the AWS documentation for more details.',
    );
  }
  if (model.onDemand !== 'everywhere' && !model.onDemand.includes(region)) {
    if (model.profiles === undefined) throw unknownModel();
    throw validationError(
      `Invocation of model ID ${id} with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model.`,
    );
  }
  return { family: model.family, name: id, resources: [foundationArn(id, region)], maxTokens: model.maxTokens };
}

function resolveProfile(id: string, region: string): ResolvedModel {
  const separator = id.indexOf('.');
  const [prefix, bareId] = [id.slice(0, separator), id.slice(separator + 1)];
  const model = FOUNDATION_MODELS.get(bareId);
  const holding = model?.profiles?.find((profile) => profile === prefix);
  if (model === undefined || holding === undefined || !PROFILE_REGIONS[holding].test(region)) throw unknownModel();
  // A policy must allow the profile and the model behind it ("Prerequisites for inference profiles").
  const profileArn = `arn:aws:bedrock:${region}:${ACCOUNT}:inference-profile/${id}`;
  return {
    family: model.family,
    name: bareId,
    resources: [profileArn, foundationArn(bareId, region)],
    maxTokens: model.maxTokens,
  };
}

function foundationArn(id: string, region: string): string {
  return `arn:aws:bedrock:${region}::foundation-model/${id}`;
}

function unknownModel(): AwsError {
  return validationError('The provided model identifier is invalid.');
}
