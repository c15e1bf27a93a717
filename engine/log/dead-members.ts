import type { Admin, Kafka } from "kafkajs";
import type { Logger } from "pino";
import { isDead, processIdentity } from "../service/identity.js";
import { kafkaErrorType } from "./connection.js";
import { createCluster } from "./kafkajs-internals.js";

const separator = ".process-";

/** Client id of a member of a group: it also names the process, so that a successor can tell whether it still lives. */
export function memberClientId(clientId: string, identity: string | undefined = processIdentity()): string {
  return identity === undefined ? clientId : `${clientId}${separator}${identity}`;
}

const identityOf = (clientId: string): string => clientId.slice(clientId.lastIndexOf(separator) + separator.length);

/**
 * Leaves the group in the name of members whose process on this machine was killed. The broker keeps their partitions
 * until the session times out, and lets nobody else join meanwhile: a process that is started again would wait as long.
 * Only a shortcut: fences, not membership, decide who writes, and what can't be told or done here times out as ever.
 * @returns how many were dismissed.
 */
export async function dismissDeadMembers(
  groupId: string,
  { kafka, admin, logger }: { readonly kafka: Kafka; readonly admin: Admin; readonly logger: Logger },
): Promise<number> {
  let dismissed = 0;
  try {
    const { groups } = await admin.describeGroups([groupId]);
    const members = groups.flatMap((group) => group.members);
    const dead = members.filter(({ clientId }) => clientId.includes(separator) && isDead(identityOf(clientId)));
    if (dead.length === 0) return 0;
    const cluster = createCluster(kafka);
    try {
      await cluster.connect();
      const coordinator = await cluster.findGroupCoordinator({ groupId });
      for (const { memberId } of dead) {
        await coordinator.leaveGroup({ groupId, memberId });
        dismissed++;
      }
    } finally {
      await cluster.disconnect();
    }
  } catch (error) {
    // Another successor may have been quicker, or the group is on its way to another broker.
    logger.info({ group: groupId, code: kafkaErrorType(error) }, "dead members are left to time out");
  }
  if (dismissed > 0) logger.info({ group: groupId, count: dismissed }, "members of killed processes were dismissed");
  return dismissed;
}
