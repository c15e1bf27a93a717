import type { Command } from "commander";
import { registerAuditVerify } from "./audit-verify.js";

export function registerAudit(command: Command): void {
  registerAuditVerify(command);
}
