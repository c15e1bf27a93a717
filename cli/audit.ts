import type { Command } from "commander";
import { registerAuditAccess } from "./audit-access.js";
import { registerAuditAsOf } from "./audit-as-of.js";
import { registerAuditDiff } from "./audit-diff.js";
import { registerAuditFolder } from "./audit-folder.js";
import { registerAuditPackage } from "./audit-package.js";
import { registerAuditProve } from "./audit-prove.js";
import { registerAuditTrail } from "./audit-trail.js";
import { registerAuditVerify } from "./audit-verify.js";

export function registerAudit(command: Command): void {
  registerAuditTrail(command);
  registerAuditAsOf(command);
  registerAuditDiff(command);
  registerAuditVerify(command);
  registerAuditFolder(command);
  registerAuditProve(command);
  registerAuditPackage(command);
  registerAuditAccess(command);
}
