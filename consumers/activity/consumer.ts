import { consumer } from "../../engine/service/consumer.js";
import dailyActivity from "../../projections/daily_activity/projection.js";
import timeline from "../../projections/timeline/projection.js";

export default consumer({ name: "activity", project: [timeline, dailyActivity] });
