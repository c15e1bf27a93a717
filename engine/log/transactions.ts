import type { IncomingRecord } from "./log.js";

/** Of a batch's attributes: its records are of a transaction; it is a marker of the broker's own. */
const transactionalBit = 0x10;
const controlBit = 0x20;
/** Fields of a batch's head (format 2), by their place. */
const place = { attributes: 21, producer: 43 } as const;
/** Type of a marker, in its key behind the version: an abort; 1 is a commit. */
const abort = 0;

export interface PlacedBatch {
  readonly bytes: Buffer;
  readonly baseOffset: number;
}

const attributesOf = ({ bytes }: PlacedBatch): number => bytes.readInt16BE(place.attributes);

export const isMarker = (batch: PlacedBatch): boolean => (attributesOf(batch) & controlBit) !== 0;
export const isTransactional = (batch: PlacedBatch): boolean => (attributesOf(batch) & transactionalBit) !== 0;

/** The batch as one of no transaction, which is read in the same way. */
export function plainBatch({ bytes }: PlacedBatch): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeInt16BE(copy.readInt16BE(place.attributes) & ~(transactionalBit | controlBit), place.attributes);
  return copy;
}

/** What became of the transactions of a partition, from the markers that end them. */
export class Outcomes {
  readonly #markers = new Map<string, { readonly offset: number; readonly isCommit: boolean }[]>();

  /** @param record the one of a marker's batch. Markers come in the order of the log. */
  tell(marker: PlacedBatch, record: IncomingRecord): void {
    const producer = producerOf(marker);
    const type = record.exact?.().key?.readInt16BE(2);
    const before = this.#markers.get(producer) ?? [];
    this.#markers.set(producer, [...before, { offset: marker.baseOffset, isCommit: type !== abort }]);
  }

  /** Whether a batch of a transaction is shown to consumers: not where it was aborted, nor where it has no end yet. */
  isShown(batch: PlacedBatch): boolean {
    const end = this.#markers.get(producerOf(batch))?.find(({ offset }) => offset > batch.baseOffset);
    return end?.isCommit ?? false;
  }
}

const producerOf = ({ bytes }: PlacedBatch): string => bytes.readBigInt64BE(place.producer).toString();
