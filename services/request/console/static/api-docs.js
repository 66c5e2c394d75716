// The API's documentation at /docs, from the OpenAPI document of this service alone.
"use strict";

window.addEventListener("load", () => {
  window.SwaggerUIBundle({
    url: "/v1/openapi.json",
    dom_id: "#api",
    deepLinking: true,
    validatorUrl: null,
    persistAuthorization: false,
  });
});
