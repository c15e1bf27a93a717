import { join } from "node:path";
import { connectorNames, loadConnector } from "../engine/service/discover.js";
import { repositoryRoot } from "../engine/service/root.js";
import { exerciseConnector } from "../engine/testing/connector-suite.js";

// Every folder there is: one that is added is exercised without a change here.
for (const name of connectorNames()) {
  exerciseConnector(join(repositoryRoot, "producers", name), await loadConnector(name));
}
