/**
 * The editor in the Spacetime Motion Brush node. It takes the place of the text field that holds the plan,
 * in the classic canvas and in Nodes 2.0 alike; without this file the text field remains, and the node works.
 */

import { app } from "../../scripts/app.js";
import { addEditor, WIDGET_TYPE } from "./motion/widget.mjs";

const NODE = "SpacetimeMotionBrush";
const INPUT = "plan";

app.registerExtension({
    name: "Spacetime.MotionBrush",

    beforeRegisterNodeDef(_nodeType, nodeData) {
        if (nodeData.name !== NODE) return;
        const spec = nodeData.input?.required?.[INPUT] ?? nodeData.input?.optional?.[INPUT];
        if (spec) spec[1] = { ...spec[1], widgetType: WIDGET_TYPE };
    },

    getCustomWidgets() {
        return { [WIDGET_TYPE]: addEditor };
    },
});
