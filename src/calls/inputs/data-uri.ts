import { ServiceError } from '../../errors.ts';
import type { ChatImage } from '../../integrations/codec.ts';

const DATA_URI = /^data:image\/(png|jpe?g|gif|webp);base64,([A-Za-z0-9+/]+={0,2})$/i;
/** AWS, APIReference/API_runtime_Message.html: an image has at most 3.75 MB, and a conversation 20 of them. */
const MAXIMUM_BYTES = 3.75 * 1024 * 1024;

/** An image that stands in the input itself. Throws INPUT_INVALID for anything else: nothing is ever fetched from an address. */
export function readImage(text: string, field: string): ChatImage {
  const [, type = '', data = ''] = DATA_URI.exec(text) ?? [];
  if (data === '') {
    throw imageInvalid(
      field,
      'an image is a data URI, data:image/png;base64,… (png, jpeg, gif or webp); nothing is fetched',
    );
  }
  const bytes = Buffer.from(data, 'base64');
  if (bytes.length > MAXIMUM_BYTES) throw imageInvalid(field, `the image has ${bytes.length} bytes, more than 3.75 MB`);
  const format = type.toLowerCase();
  return {
    format: format === 'jpg' ? 'jpeg' : (format as ChatImage['format']),
    // No Buffer: that becomes a list of numbers, millions of them, wherever a call is written as JSON.
    bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  };
}

function imageInvalid(field: string, message: string): ServiceError {
  return new ServiceError('INPUT_INVALID', `Input ${field}: ${message}`, { field });
}
