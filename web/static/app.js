// What every page needs: the GOV.UK components, and parts that follow the progress of work.
import { initAll } from "/static/vendor/govuk-frontend.min.js";
import { follow } from "/static/live.js";

document.body.classList.add("js-enabled");
if ("noModule" in HTMLScriptElement.prototype) document.body.classList.add("govuk-frontend-supported");
initAll();
for (const element of document.querySelectorAll("[data-without-script]")) element.hidden = true;
follow();
