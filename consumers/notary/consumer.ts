import { ownTopics } from "../../engine/log/schemas.js";
import { notary } from "../../engine/service/consumer.js";

export default notary({ name: "notary", notarize: { topics: ownTopics } });
