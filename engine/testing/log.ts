import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { ownTopics } from "../log/own-topics.js";
import { connectCodec, registerSchemas } from "../log/registry.js";
import { applyTopics } from "../log/topics.js";
import type { Settings } from "../service/settings.js";

export interface FreshLog {
  /** Those of the environment with a TOPIC_PREFIX of its own and two partitions a topic. */
  readonly settings: Settings;
  readonly log: Log;
  readonly codec: Codec;
  /** Id of the journal. */
  readonly journal: string;
  /** Closes the connections, deletes topics and groups. */
  drop(): Promise<void>;
}

/** An installation of its own on the brokers and the registry of the environment: schemas registered, topics made. */
export async function freshLog(changes: Partial<Settings> = {}): Promise<FreshLog> {
  const own = await ownTopics(changes);
  const { settings, log } = own;
  await registerSchemas(settings);
  const { journal } = await applyTopics(settings);
  return { settings, log, codec: await connectCodec(settings), journal, drop: () => own.dispose() };
}
