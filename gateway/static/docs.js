// Starts Swagger UI on the document that the page names.
const target = document.getElementById("swagger-ui");
SwaggerUIBundle({
  url: target.dataset.openapi,
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: true,
  validatorUrl: null,
});
