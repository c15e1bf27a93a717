import type { EventType } from "./definition.js";

/** What the projector needs of other rooms, as narrow as it needs it. */

export interface Decoder {
  /**
   * Decodes an event in the Confluent wire format.
   * @throws an error with code TRIB_LOG_UNKNOWN_SCHEMA when `learn` may help; any other means that the bytes are no event.
   */
  decodeEvent(value: Buffer): { readonly type: EventType; readonly event: object };
  /**
   * What reads the event that begins there out of the bytes that it lies in; default: events are cut out.
   * @returns undefined when no event of a known schema begins there: `decodeEvent` tells why.
   */
  eventReader?(
    bytes: Buffer,
    start: number,
  ): { readonly type: EventType; read(bytes: Buffer, start: number, end: number): object } | undefined;
  /** Fetches the schema that these bytes name. @throws when the registry can't be reached or doesn't know it. */
  learn(value: Buffer): Promise<void>;
}

export interface SealedContent {
  readonly type: EventType;
  readonly eventId: string;
  readonly sealed: Buffer;
}

export interface Opener {
  /**
   * Opens sealed content, in the order given: null where the key was destroyed.
   * @throws retriable when the vault can't be reached.
   */
  open(contents: readonly SealedContent[]): Promise<readonly (object | null)[]>;
}

/** An opener that can say what its answers reflect. */
export interface DatedOpener extends Opener {
  /**
   * Destructions of keys so far: nothing is opened from here on under a key that one of them destroyed. Undefined for one
   * that opens nothing at all.
   * @throws retriable when the vault can't be reached.
   */
  epoch(): Promise<number | undefined>;
}

/** Fits a pino logger. */
export interface ProjectorLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
