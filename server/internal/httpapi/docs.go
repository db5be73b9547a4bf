package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui/v5emb"

	"github.com/peermesh/kgl-backend/openapi"
)

const (
	docsPath   = "/docs"
	docsAssets = docsPath + "/*"
)

// docsPage and docsScript are Swagger UI without inline scripts, so that the
// content security policy needs no exception for them. Paths are relative, so
// that the page works behind a proxy with a path prefix.
const docsPage = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>KGL backend</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" type="image/png" href="docs/favicon-32x32.png" sizes="32x32">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/kgl-init.js"></script>
</body>
</html>
`

// docsScript starts Swagger UI. Authorize offers the password grant; without a
// chosen scope the token has all scopes of the role.
const docsScript = `window.addEventListener("load", function () {
  window.ui = SwaggerUIBundle({
    url: new URL("api/v1/openapi.json", document.baseURI).href,
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    validatorUrl: null,
    defaultModelsExpandDepth: 0,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout"
  });
  window.ui.initOAuth({clientId: "swagger-ui", appName: "KGL backend", scopes: []});
});
`

// contract is the API's description in the forms in which it is handed out.
type contract struct {
	doc              *openapi3.T
	json, yaml       []byte
	jsonTag, yamlTag string
}

func loadContract() (*contract, error) {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(openapi.YAML)
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	if err := doc.Validate(loader.Context); err != nil {
		return nil, fmt.Errorf("validate the contract: %w", err)
	}
	data, err := doc.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode the contract: %w", err)
	}
	return &contract{doc: doc, json: data, yaml: openapi.YAML, jsonTag: contentTag(data), yamlTag: contentTag(openapi.YAML)}, nil
}

// contentTag returns the strong ETag of fixed bytes.
func contentTag(data []byte) string {
	sum := sha256.Sum256(data)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

func (s *server) getContractJSON(c echo.Context) error {
	c.Response().Header().Set("ETag", s.contract.jsonTag)
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, s.contract.json)
}

func (s *server) getContractYAML(c echo.Context) error {
	c.Response().Header().Set("ETag", s.contract.yamlTag)
	return c.Blob(http.StatusOK, "application/yaml", s.contract.yaml)
}

func (s *server) getDocs(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.HTML(http.StatusOK, docsPage)
}

// docsAsset serves the files of Swagger UI from the binary.
func docsAsset() echo.HandlerFunc {
	files := v5emb.New("KGL backend", "/api/v1/openapi.json", docsPath)
	return func(c echo.Context) error {
		switch c.Param("*") {
		case "":
			return c.Redirect(http.StatusPermanentRedirect, ".."+docsPath)
		case "kgl-init.js":
			c.Response().Header().Set("Cache-Control", "no-cache")
			return c.Blob(http.StatusOK, "text/javascript; charset=utf-8", []byte(docsScript))
		}
		answer, err := record(c, echo.WrapHandler(files))
		if err != nil {
			return err
		}
		if answer.status == http.StatusNotFound { // in plain text, where our errors are problem documents
			return echo.ErrNotFound
		}
		answer.header.Set("Cache-Control", "public, max-age=3600")
		return answer.send(c)
	}
}
