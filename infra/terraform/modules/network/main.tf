# A network without a way in. Jobs reach Amazon's services through endpoints; the way out is a choice.

locals {
  private = { for number, zone in var.zones : zone => cidrsubnet(var.cidr, 4, number) }
  public  = var.egress ? { (var.zones[0]) = cidrsubnet(var.cidr, 8, 255) } : {}
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true
  tags                 = { Name = var.name }
}

# What names no security group gets this one, which lets nothing through.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "private" {
  for_each = local.private

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = each.value
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

# --- the way out ---------------------------------------------------------------------------------------------------

resource "aws_subnet" "public" {
  for_each = local.public

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = each.value
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_internet_gateway" "this" {
  count = var.egress ? 1 : 0

  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

resource "aws_route_table" "public" {
  count = var.egress ? 1 : 0

  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  count = var.egress ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_eip" "nat" {
  count = var.egress ? 1 : 0

  domain = "vpc"
  tags   = { Name = "${var.name}-nat" }
}

resource "aws_nat_gateway" "this" {
  count = var.egress ? 1 : 0

  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[var.zones[0]].id
  tags          = { Name = var.name }
  depends_on    = [aws_route.public]
}

resource "aws_route" "out" {
  count = var.egress ? 1 : 0

  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[0].id
}

# --- Amazon's services ---------------------------------------------------------------------------------------------

# The lake's traffic costs nothing this way.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id]
  tags              = { Name = "${var.name}-s3" }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "Endpoints: HTTPS from this network"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  security_group_id = aws_security_group.endpoints.id
  description       = "HTTPS from this network"
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for subnet in aws_subnet.private : subnet.id]
  security_group_ids  = [aws_security_group.endpoints.id]
  tags                = { Name = "${var.name}-${each.key}" }
}

# --- who speaks with whom ------------------------------------------------------------------------------------------

resource "aws_security_group" "jobs" {
  #checkov:skip=CKV2_AWS_5: EMR Serverless takes it, in the module emr_serverless; the graph of checkov ends at a module's border.
  name        = "${var.name}-jobs"
  description = "Drivers and executors: among themselves, and HTTPS out"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group" "airflow" {
  #checkov:skip=CKV2_AWS_5: MWAA takes it, in the module mwaa; the graph of checkov ends at a module's border.
  name        = "${var.name}-airflow"
  description = "Airflow: among its parts, and HTTPS out"
  vpc_id      = aws_vpc.this.id
}

locals {
  # Of those in the network, and what they may ask for: S3 by the gateway has public addresses, so HTTPS goes anywhere there is a route to.
  members = { jobs = aws_security_group.jobs.id, airflow = aws_security_group.airflow.id }
}

resource "aws_vpc_security_group_ingress_rule" "among_themselves" {
  for_each = local.members

  security_group_id            = each.value
  description                  = "Among themselves"
  referenced_security_group_id = each.value
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "among_themselves" {
  for_each = local.members

  security_group_id            = each.value
  description                  = "Among themselves"
  referenced_security_group_id = each.value
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = local.members

  security_group_id = each.value
  description       = "HTTPS, to where there is a route"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_cloudwatch_log_group" "flow" {
  name              = "/${var.name}/network"
  retention_in_days = var.flow_log_days
  kms_key_id        = var.log_key_arn
}

resource "aws_iam_role" "flow" {
  name        = "${var.name}-flow-log"
  description = "Writes the flow log of ${var.name}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "flow" {
  name = "write"
  role = aws_iam_role.flow.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource = "${aws_cloudwatch_log_group.flow.arn}:*"
    }]
  })
}

resource "aws_flow_log" "this" {
  vpc_id          = aws_vpc.this.id
  traffic_type    = "ALL"
  log_destination = aws_cloudwatch_log_group.flow.arn
  iam_role_arn    = aws_iam_role.flow.arn
}
