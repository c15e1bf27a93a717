import { connectorNames, loadConnector } from "../engine/service/discover.js";
import { exerciseConnector } from "../engine/testing/connector-suite.js";

// Every folder there is: one that is added is exercised without a change here.
for (const name of connectorNames()) exerciseConnector(name, await loadConnector(name));
